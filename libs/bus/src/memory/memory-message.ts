import { decodeJson } from '../body.js';
import type { Headers, Message, StoredMessage } from '../bus.js';
import type { Lying, MemoryStream } from './memory-stream.js';

/** A message as a handler sees it; what costs to know is found out when it is looked at. */
export function storedMessage(
  stream: MemoryStream,
  m: Lying,
  more: { deliveries: number; pending: () => number; headersOnly?: boolean },
): StoredMessage {
  const { subject, headers, sequence, storedAt } = m;
  const data = more.headersOnly === true ? new Uint8Array(0) : m.bytes;
  return {
    subject,
    data,
    headers,
    json: () => decodeJson(subject, data),
    stream: stream.config.name,
    sequence,
    storedAt,
    deliveries: more.deliveries,
    get pending() {
      return more.pending();
    },
  };
}

/** A plain message. */
export function plainMessage(subject: string, data: Uint8Array, headers: Headers): Message {
  return { subject, data, headers, json: () => decodeJson(subject, data) };
}
