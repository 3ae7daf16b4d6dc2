/** Of a refused body so much is still taken, and waited for so long. */
const MOST_BYTES = 32 * 1024 * 1024;
const MOST_MS = 2_000;

/** What of a request over HTTP is looked at here. */
interface Body {
  readonly complete: boolean;
  readonly destroyed: boolean;
  on(event: 'data', hear: (chunk: Uint8Array) => void): unknown;
  on(event: 'end' | 'close' | 'error', hear: () => void): unknown;
  off(event: 'data', hear: (chunk: Uint8Array) => void): unknown;
  off(event: 'end' | 'close', hear: () => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/**
 * Takes and throws away what is left of a request's body before it is refused: a client that is still sending when the
 * connection is closed gets a reset, and not the answer (RFC 9112, 9.6). Ends after `mostBytes` (32 MiB) or `mostMs` (2 s) too.
 * Says whether the body was read to its end: if not, the answer has to close the connection. Never rejects.
 */
export async function readOut(
  body: Body,
  { mostBytes = MOST_BYTES, mostMs = MOST_MS } = {},
): Promise<boolean> {
  if (body.complete || body.destroyed) return body.complete;
  await new Promise<void>((resolve) => {
    let bytes = 0;
    const hear = (chunk: Uint8Array) => {
      bytes += chunk.byteLength;
      if (bytes > mostBytes) end();
    };
    const end = () => {
      clearTimeout(timer);
      body.pause();
      body.off('data', hear);
      body.off('end', end);
      body.off('close', end);
      resolve();
    };
    const timer = setTimeout(end, mostMs);
    body.on('data', hear);
    body.on('end', end);
    body.on('close', end);
    // Stays: a connection that ends later is no trouble of this process.
    body.on('error', end);
    body.resume();
  });
  return body.complete;
}
