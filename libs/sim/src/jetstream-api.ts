import { matches, type MemoryServer } from '@skerry/bus';
import { JETSTREAM_API } from '@skerry/contracts';

/** Durable consumers by name, on the stream that they belong to. */
const durables = new WeakMap<object, Set<string>>();

/** All that the server's own API can be asked for: it begins as this question does. */
const EVERYTHING = `${JETSTREAM_API.streamInfo('').split('.').slice(0, 2).join('.')}.>`;

const NOT_FOUND = { error: { code: 404, err_code: 10_059, description: 'stream not found' } };
const NO_CONSUMER = { error: { code: 404, err_code: 10_014, description: 'consumer not found' } };
const NO_MESSAGE = { error: { code: 404, err_code: 10_037, description: 'no message found' } };
const NS_PER_S = 1_000_000_000;

/** Whether a stream has a durable of this name that was made by the server's own API. */
export function hasDurable(server: MemoryServer, stream: string, durable: string): boolean {
  const there = server.streams.get(stream);
  return there !== undefined && durables.get(there)?.has(durable) === true;
}

/** Answers what Skerry asks the server's own API for. */
export function answerJetStreamApi(server: MemoryServer): void {
  server.hear({
    filter: EVERYTHING,
    queue: undefined,
    here: () => true,
    hear: (m, reply) => {
      const answer = answerTo(server, m.subject.split('.').slice(2), bodyOf(m.data));
      reply?.(new TextEncoder().encode(JSON.stringify(answer)), {});
    },
  });
}

function answerTo(server: MemoryServer, path: readonly string[], body: Record<string, unknown>): object {
  const [noun, verb, name = '', more = '', last = ''] = path;
  switch (`${noun}.${verb}`) {
    case 'STREAM.CREATE':
      return create(server, name, body);
    case 'STREAM.INFO':
      return server.streams.has(name) ? { config: { num_replicas: 1 } } : NOT_FOUND;
    case 'STREAM.DELETE':
      if (!server.streams.has(name)) return NOT_FOUND;
      server.deleteStream(name);
      return { success: true };
    case 'STREAM.MSG':
      return lastMessage(server, more, body);
    case 'CONSUMER.DURABLE':
      return addDurable(server, more, last);
    case 'CONSUMER.INFO':
      return hasDurable(server, name, more) ? { name: more } : NO_CONSUMER;
    case 'CONSUMER.DELETE':
      return dropDurable(server, name, more);
    default:
      return { error: { code: 400, description: `not simulated: ${path.join('.')}` } };
  }
}

function create(server: MemoryServer, name: string, body: Record<string, unknown>): object {
  const isNew = !server.streams.has(name);
  const subjects = Array.isArray(body['subjects']) ? body['subjects'].map(String) : [];
  server.ensureStream({
    name,
    subjects,
    owner: '',
    maxBytes: numberIn(body, 'max_bytes', 0),
    maxMessagesPerSubject: Math.max(0, numberIn(body, 'max_msgs_per_subject', 0)),
    discard: body['discard'] === 'new' ? 'new' : 'old',
    duplicateWindowS: numberIn(body, 'duplicate_window', 120 * NS_PER_S) / NS_PER_S,
    retention: body['retention'] === 'workqueue' ? 'workqueue' : 'limits',
  });
  const stream = server.streams.get(name);
  if (isNew && stream !== undefined) stream.lastSequence = Math.max(0, numberIn(body, 'first_seq', 1) - 1);
  return { config: { name } };
}

/** The newest message below a subject. */
function lastMessage(server: MemoryServer, stream: string, body: Record<string, unknown>): object {
  const there = server.streams.get(stream);
  if (there === undefined) return NOT_FOUND;
  const filter = String(body['last_by_subj']);
  const m = there.newestOfEach((subject) => matches(filter, subject)).at(-1);
  if (m === undefined) return NO_MESSAGE;
  const data = Buffer.from(m.bytes).toString('base64');
  const time = new Date(m.storedAt).toISOString();
  return { message: { subject: m.subject, seq: m.sequence, data, time } };
}

function addDurable(server: MemoryServer, stream: string, durable: string): object {
  const there = server.streams.get(stream);
  if (there === undefined) return NOT_FOUND;
  durables.set(there, (durables.get(there) ?? new Set()).add(durable));
  return { name: durable };
}

function dropDurable(server: MemoryServer, stream: string, durable: string): object {
  const there = server.streams.get(stream);
  return there !== undefined && durables.get(there)?.delete(durable) === true
    ? { success: true }
    : NO_CONSUMER;
}

function bodyOf(data: Uint8Array): Record<string, unknown> {
  const parsed: unknown = data.length === 0 ? {} : JSON.parse(new TextDecoder().decode(data));
  return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
}

function numberIn(body: Record<string, unknown>, key: string, fallback: number): number {
  const value = body[key];
  return typeof value === 'number' ? value : fallback;
}
