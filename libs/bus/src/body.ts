import { LIMITS } from '@skerry/contracts';
import type { Body, Headers, Message } from './bus.js';
import { Malformed, TooLarge } from './errors.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const BROKEN_LINE = /[\r\n]/;
/** `NATS/1.0`, its line end, and the empty line that ends headers; then per header `: ` and a line end. */
const HEADERS_FRAME_BYTES = 12;
const HEADER_FRAME_BYTES = 4;

/** A body as bytes: bytes as they are, anything else as JSON. */
export function encodeBody(body: Body): Uint8Array {
  return body instanceof Uint8Array ? body : encoder.encode(JSON.stringify(body));
}

/** The JSON in a body. Throws `Malformed` naming the subject when it is none. */
export function decodeJson(subject: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new Malformed(`message on ${subject}: not JSON`, { cause });
  }
}

/** Throws `Malformed` for a header that would break the frame: a name or value with a line break. */
export function requireHeaders(headers: Headers): Headers {
  for (const [name, value] of Object.entries(headers)) {
    if (name === '' || BROKEN_LINE.test(name) || name.includes(':') || BROKEN_LINE.test(value)) {
      throw new Malformed(`header ${JSON.stringify(name)}: no line breaks, and no ":" in its name`);
    }
  }
  return headers;
}

/** Throws `TooLarge` unless body and headers fit one message. */
export function requireSize(
  subject: string,
  body: Uint8Array,
  headers: Headers,
  limit: number = LIMITS.messageBytes,
): void {
  let size = body.length;
  for (const [name, value] of Object.entries(headers)) {
    size += Buffer.byteLength(name) + Buffer.byteLength(value) + HEADER_FRAME_BYTES;
  }
  size += HEADERS_FRAME_BYTES;
  if (size <= limit) return;
  throw new TooLarge(`message on ${subject} has ${size} bytes: at most ${limit} (limit messageBytes)`);
}

/** A message made of its parts. */
export function message(subject: string, data: Uint8Array, headers: Headers): Message {
  return { subject, data, headers, json: () => decodeJson(subject, data) };
}

/** A header's value as one printable ASCII line of at most `chars` characters. */
export function headerText(text: string, chars = 300): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, chars);
}
