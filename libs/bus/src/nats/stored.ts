import { decodeJson } from '../body.js';
import type { StoredMessage } from '../bus.js';
import type { JsApi } from './js-api.js';
import { fromNats } from './wire.js';

const SUBJECT = 'Nats-Subject';
const SEQUENCE = 'Nats-Sequence';
const STREAM = 'Nats-Stream';
const STORED_AT = 'Nats-Time-Stamp';
const LEFT = 'Nats-Num-Pending';

/** One message read directly from a stream; undefined when it is not there. */
export async function storedMessage(
  api: JsApi,
  stream: string,
  what: { sequence: number } | { subject: string },
): Promise<StoredMessage | undefined> {
  const m = await api.message(stream, what);
  if (m === undefined) return undefined;
  // The server adds where the message lies to the headers that it was stored with.
  const {
    [SUBJECT]: subject = '',
    [SEQUENCE]: sequence,
    [STREAM]: _stream,
    [STORED_AT]: storedAt,
    [LEFT]: _left,
    ...headers
  } = fromNats(m.headers);
  const { data } = m;
  return {
    subject,
    data,
    headers,
    json: () => decodeJson(subject, data),
    stream,
    sequence: Number(sequence),
    storedAt: Date.parse(storedAt ?? ''),
    deliveries: 1,
    pending: 0,
  };
}
