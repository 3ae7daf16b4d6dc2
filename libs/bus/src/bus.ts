import type { BucketDefinition, StreamDefinition } from '@skerry/contracts';

/** Headers of a message: lower- and upper-case as given, one value each. */
export type Headers = Readonly<Record<string, string>>;

/** A message as a handler sees it. */
export interface Message {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Headers;
  /** The body as JSON. Throws `Malformed` when it is none. */
  json(): unknown;
}

/** A message that lies in a stream. */
export interface StoredMessage extends Message {
  readonly stream: string;
  readonly sequence: number;
  /** When the server stored it, ms since the epoch. */
  readonly storedAt: number;
  /** 1 for the first delivery. */
  readonly deliveries: number;
  /** Messages behind this one for this consumer; 0 says that it has caught up. */
  readonly pending: number;
}

/** A plain message, with the way to answer where its sender asked for one. */
export interface HeardMessage extends Message {
  /** Where the answer goes to: the sender's own word, so that who may say more than the sender looks at it before he answers. */
  readonly replyTo?: string;
  readonly reply?: (body: Body, options?: { headers?: Headers }) => void;
}

/** What a handler answers: ack, delayed nak, or terminate plus dead letter. A throw is a bug: nak with backoff, and an alarm. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'retry'; readonly afterMs: number; readonly reason?: string }
  | { readonly kind: 'reject'; readonly reason: string };
export const done: Outcome = { kind: 'done' };
export const retry = (options: { afterMs: number; reason?: string }): Outcome => ({
  kind: 'retry',
  ...options,
});
export const reject = (reason: string): Outcome => ({ kind: 'reject', reason });

export interface PublishOptions {
  headers?: Headers;
  /** Stored once within the stream's duplicate window. With `expect` too, the condition is looked at first: a retry of what was stored is a `Conflict`. */
  messageId?: string;
  /** Removed by the server after this; whole seconds, at least 1,000. */
  ttlMs?: number;
  /** Refused with `Conflict` unless `subject` (default: the message's own) has this last sequence; 0 for none. */
  expect?: { sequence: number; subject?: string };
  /** Default 5,000. */
  timeoutMs?: number;
  /**
   * Name of its stream, which has to be `atomic`: much that is published at the same time may then be stored in one
   * transaction, which costs the server a tenth. What the sender is told is the same.
   */
  group?: string;
}
export interface PublishAck {
  stream: string;
  sequence: number;
  duplicate: boolean;
}
/** One message of a transaction: all are stored or none; at most 1,000, one stream. */
export interface BatchItem {
  subject: string;
  body: Body;
  headers?: Headers;
  /** As in `PublishOptions`. */
  expect?: { sequence: number; subject?: string };
}
/** JSON values are encoded; bytes go as they are. */
export type Body = Uint8Array | object;

/** A subscription or consumption that can be ended. */
export interface Subscription {
  /** Takes no more, lets running handlers finish, then resolves. Nothing is redelivered for it. */
  drain(): Promise<void>;
}

export interface ConsumeOptions {
  stream: string;
  /** Durable name; instances with the same name share the work. */
  durable: string;
  /** Subjects of the stream; default all. */
  filters?: string[];
  /** Where a new durable begins. Default `all`; `last` is the newest message of each subject. */
  from?: 'all' | 'new' | 'last';
  /** Handlers at once in this instance. Default 64. */
  concurrency?: number;
  /** Messages with the same key are handled one after the other, in order. Default: by subject. */
  orderBy?: (m: StoredMessage) => string;
  /** Deliveries before a message that keeps failing is dead-lettered. Default 8. Retries by `retry()` count as well, unless Infinity. */
  maxDeliveries?: number;
  /** Waits after throws, the last repeats. Default 100, 500, 2,000, 10,000 ms. */
  backoffMs?: readonly number[];
  /** Time to answer before redelivery; extended by itself while a handler runs. Default 30,000. */
  ackWaitMs?: number;
  /** Name of the app, for its dead letters. */
  app: string;
}

export interface FollowOptions {
  /** `last`: the newest message of each subject, then all that follow; a sequence: from there. Default `last`. */
  from?: 'last' | 'new' | number;
  filters?: string[];
  /** Called once, when all that lay in the stream at the start was seen (at once when it was empty). */
  onCaughtUp?: () => void;
  /**
   * Called when the stream turns out to be another one under the old name (wiped, recreated or restored): what was
   * folded so far says nothing about it. The newest message of each of its subjects follows.
   */
  onRestart?: () => void | Promise<void>;
}
/** Follows a stream in order from this process's memory of its position; re-creates itself without gap or repetition after reconnects and server restarts. */
export interface Following extends Subscription {
  /** Sequence of the last message handled. */
  readonly position: number;
  /** Resolves when `position` is at least `sequence`, or what was asked for is seen to be gone; rejects with `TimedOut`. */
  reached(sequence: number, timeoutMs?: number): Promise<void>;
  /** Resolves when all that lay there at the start was handled; rejects with `Unavailable` when it is drained before. */
  readonly caughtUp: Promise<void>;
}

/**
 * What makes a value of a bucket of what lies there, which it may judge by its headers too; throws for what is none.
 * `headers`: added to every write.
 */
export interface BucketParser<T> {
  (value: unknown, headers: Headers): T;
  readonly headers?: Headers;
}

/** One value in a bucket. `value` is parsed by the bucket's schema. */
export interface Entry<T> {
  key: string;
  value: T;
  revision: number;
  headers: Headers;
  at: number;
}
/** A change seen by `watch` or `follow`: a value, or that the key is gone (deleted, purged or expired). */
export type BucketChange<T> =
  | ({ kind: 'put' } & Entry<T>)
  | { kind: 'gone'; key: string; revision: number }
  /** A value that its schema refuses: never thrown away silently. */
  | { kind: 'malformed'; key: string; revision: number; reason: string };

export interface BucketWrite {
  headers?: Headers;
  /** Only with a bucket that has `perKeyTtl`. Renewals keep it only when given again. */
  ttlMs?: number;
}
export interface Bucket<T> {
  readonly name: string;
  get(key: string): Promise<Entry<T> | undefined>;
  /** Fails with `Conflict` unless the key is at `revision`; 0: there is no value. Returns the new revision. */
  put(key: string, value: T, revision: number, write?: BucketWrite): Promise<number>;
  /**
   * As `put`, conditional on the revision of another key of this bucket (a fencing epoch) instead of its own. One is on
   * its way at a time; in a bucket that is `atomic` those that wait meanwhile go together, all or none.
   */
  putFenced(
    key: string,
    value: T,
    fence: { key: string; revision: number },
    write?: BucketWrite,
  ): Promise<number>;
  /** All or none, in a bucket that is `atomic`; at most 1,000 keys. */
  putAll(writes: { key: string; value: T; revision: number; headers?: Headers }[]): Promise<number[]>;
  /** Writes without condition: only for a key whose single writer is this process. */
  set(key: string, value: T, write?: BucketWrite): Promise<number>;
  delete(key: string, revision?: number): Promise<void>;
  keys(): Promise<string[]>;
  /**
   * Every value, then every change, in order; handlers run one at a time and may be async. When the bucket was wiped or
   * restored, `onRestart` is called, its values come again (their revisions may be lower), and keys that it no longer
   * has come as `gone`. Expiry is told only by a bucket with `perKeyTtl`, and not to one who was away meanwhile.
   */
  follow(
    handler: (change: BucketChange<T>) => void | Promise<void>,
    options?: { keys?: string[]; onCaughtUp?: () => void; onRestart?: () => void | Promise<void> },
  ): Promise<Following>;
}

/** A lease with a fencing epoch. */
export interface Lease {
  /** The epoch while held (rises with each holder), else undefined. Held is judged by this process's monotonic clock, a safety margin before the server lets it run out. */
  readonly epoch: number | undefined;
  /**
   * Tries for ever; `onAcquired` and `onLost` are called in turn. A holder that cannot renew loses it before anyone else
   * can get it; one whose `onAcquired` throws gives it back. The next try waits until both callbacks have ended.
   */
  run(callbacks: {
    onAcquired: (epoch: number) => void | Promise<void>;
    onLost: () => void | Promise<void>;
  }): void;
  /** Gives it back at once, so that another takes over without waiting. */
  release(): Promise<void>;
}

export interface StreamState {
  messages: number;
  bytes: number;
  firstSequence: number;
  lastSequence: number;
}

/** Everything an app may do on the bus. Two implementations, one suite: NATS and memory. */
export interface Bus {
  /** Stores a message; resolves when the stream has it (fsync with `sync_interval: always`). Many at once are pipelined. */
  publish(subject: string, body: Body, options?: PublishOptions): Promise<PublishAck>;
  /** Stores all messages or none. */
  publishBatch(items: BatchItem[]): Promise<PublishAck>;
  /** Sends a plain message: at most once, never stored. */
  say(subject: string, body: Body, options?: { headers?: Headers }): void;
  /** Asks and waits. `Unavailable` when nobody listens, `TimedOut` after `timeoutMs` (default 5,000). */
  request(subject: string, body: Body, options?: { headers?: Headers; timeoutMs?: number }): Promise<Message>;
  /** Answers requests; with `queue`, one of its members does. A throw becomes an error answer that `request` rethrows as `Refusal`. */
  respond(
    subject: string,
    handler: (m: Message) => Promise<Body> | Body,
    options?: { queue?: string },
  ): Subscription;
  /** Hears plain messages. `reply` answers, where the sender asked for one. */
  listen(subject: string, handler: (m: HeardMessage) => void, options?: { queue?: string }): Subscription;
  consume(options: ConsumeOptions, handler: (m: StoredMessage) => Promise<Outcome>): Promise<Subscription>;
  /** Follows a stream in order without a durable. */
  follow(
    stream: string,
    handler: (m: StoredMessage) => void | Promise<void>,
    options?: FollowOptions,
  ): Promise<Following>;
  bucket<T>(definition: BucketDefinition, parse: BucketParser<T>): Bucket<T>;
  /** A lease kept in bucket `leases`; `ttlMs` whole seconds, at least 2,000. */
  lease(name: string, holder: string, options?: { ttlMs?: number }): Lease;
  /** Creates a stream or brings it to its definition; never shrinks what is stored. */
  ensureStream(definition: StreamDefinition): Promise<void>;
  ensureBucket(definition: BucketDefinition): Promise<void>;
  streamState(stream: string): Promise<StreamState | undefined>;

  /** The newest stored message of a subject; undefined when there is none. */
  newest(stream: string, subject: string): Promise<StoredMessage | undefined>;
  /** Deletes what lies under a subject; `upTo`: nothing after this sequence. */
  purge(stream: string, subject: string, upTo?: number): Promise<void>;
  /** One stored message by sequence. */
  message(stream: string, sequence: number): Promise<StoredMessage | undefined>;
  deleteMessage(stream: string, sequence: number): Promise<void>;
  readonly connected: boolean;
  /**
   * Called with each change of `connected`, and with true when another server of the hub is lost: what only that one had
   * is gone. Returns how to stop.
   */
  onConnection(listener: (connected: boolean) => void): () => void;
  /** Drains all consumptions, flushes, closes. */
  close(): Promise<void>;
}
