/**
 * A message with a head and bytes: the head's length in four bytes, the head as JSON, then the bytes as they are. For chunks, which
 * as JSON would be a third larger.
 */
export function frame(head: object, bytes: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const message = new Uint8Array(LENGTH_BYTES + text.length + bytes.length);
  new DataView(message.buffer).setUint32(0, text.length);
  message.set(text, LENGTH_BYTES);
  message.set(bytes, LENGTH_BYTES + text.length);
  return message;
}

/** Takes a frame apart, without copying its bytes; undefined when it is none. */
export function readFrame(message: Uint8Array): { head: unknown; bytes: Uint8Array } | undefined {
  if (message.length < LENGTH_BYTES) return undefined;
  const length = new DataView(message.buffer, message.byteOffset, LENGTH_BYTES).getUint32(0);
  const end = LENGTH_BYTES + length;
  if (end > message.length) return undefined;
  try {
    const head: unknown = JSON.parse(new TextDecoder().decode(message.subarray(LENGTH_BYTES, end)));
    return { head, bytes: message.subarray(end) };
  } catch {
    return undefined;
  }
}

const LENGTH_BYTES = 4;
