import { MsgHdrsImpl } from '@nats-io/nats-core/internal';
import type { Msg, MsgHdrs } from '@nats-io/nats-core';
import type { Headers, Message, StoredMessage } from '../bus.js';
import { decodeJson } from '../body.js';
import { Conflict, StorageFull, TooLarge, Unavailable } from '../errors.js';

const NONE: Headers = Object.freeze({});

/** Headers for the client; undefined when there are none, so that a plain message is sent. */
export function toNats(headers: Headers): MsgHdrs | undefined {
  // The client's own `set` checks and copies every key already there; requireHeaders has checked these.
  const record: Record<string, string[]> = {};
  let any = false;
  for (const name in headers) {
    record[name] = [headers[name] ?? ''];
    any = true;
  }
  return any ? MsgHdrsImpl.fromRecord(record) : undefined;
}

/** Headers as a record, the first value of each. */
export function fromNats(headers: MsgHdrs | undefined): Headers {
  if (headers === undefined) return NONE;
  const record: Record<string, string> = {};
  for (const [name, values] of headers) record[name] = values[0] ?? '';
  return record;
}

/** A plain message. Its parts are decoded when they are looked at. */
export class WireMessage implements Message {
  #headers: Headers | undefined;

  constructor(protected readonly raw: Msg) {}

  get subject(): string {
    return this.raw.subject;
  }
  get data(): Uint8Array {
    return this.raw.data;
  }
  get headers(): Headers {
    return (this.#headers ??= fromNats(this.raw.headers));
  }
  json(): unknown {
    return decodeJson(this.subject, this.data);
  }
}

/** A message of a consumer: where it lies is told by the subject that wants its answer. */
export class WireStored extends WireMessage implements StoredMessage {
  readonly stream: string;
  readonly sequence: number;
  readonly storedAt: number;
  readonly deliveries: number;
  readonly pending: number;
  /** Which delivery of its consumer this is, from 1. */
  readonly delivery: number;

  constructor(raw: Msg, reply: string) {
    super(raw);
    const tokens = reply.split('.');
    // `$JS.ACK.<stream>.<consumer>.…` of nine tokens, or with domain and account before the stream.
    const at = tokens.length > 9 ? 4 : 2;
    this.stream = tokens[at] ?? '';
    this.deliveries = Number(tokens[at + 2]);
    this.sequence = Number(tokens[at + 3]);
    this.delivery = Number(tokens[at + 4]);
    // Nanoseconds have more digits than a number holds.
    this.storedAt = Number(tokens[at + 5]?.slice(0, -6));
    this.pending = Number(tokens[at + 6]);
  }
}

/** What JetStream's api says when it refuses. */
export interface ApiError {
  code: number;
  err_code: number;
  description: string;
}

/** A refusal that has no class of its own. */
export class JetStreamError extends Error {
  override readonly name = 'JetStreamError';
  constructor(
    what: string,
    readonly errorCode: number,
    description: string,
  ) {
    super(`${what}: ${description} (${errorCode})`);
  }
}

export const CODES = {
  consumerNotFound: 10014,
  streamNotFound: 10059,
  streamNameInUse: 10058,
  sameIdInProcess: 10158,
} as const;
const WRONG_SEQUENCE = new Set([10071, 10164]);
const NO_RESOURCES = new Set([10023, 10028, 10047]);
const TOO_LARGE = 10054;
const FULL = /maximum (?:bytes|messages) exceeded|no space left/i;

/** The error that a refusal by JetStream stands for. */
export function apiError(what: string, error: ApiError): Error {
  const { code, err_code, description } = error;
  const text = `${what}: ${description} (${err_code})`;
  if (WRONG_SEQUENCE.has(err_code)) return new Conflict(text);
  if (NO_RESOURCES.has(err_code)) return new StorageFull(text);
  if (FULL.test(description)) return new StorageFull(text);
  if (err_code === TOO_LARGE) return new TooLarge(text);
  if (code === 503 || err_code === CODES.streamNotFound) return new Unavailable(text);
  return new JetStreamError(what, err_code, description);
}
