import { bucketStream, bucketSubject, type BucketDefinition } from '@skerry/contracts';
import { reasonOf } from './alarm.js';
import type {
  Bucket,
  BucketChange,
  BucketParser,
  BucketWrite,
  Entry,
  Following,
  Headers,
  PublishOptions,
  StoredMessage,
} from './bus.js';
import { Conflict, Malformed } from './errors.js';
import { FencedWrites } from './fenced-writes.js';
import { NATS } from './outgoing.js';
import type { Store } from './store.js';
import { requireFilter, requireKey } from './subject.js';

const OPERATION = 'KV-Operation';
const GONE = { [OPERATION]: 'PURGE', [NATS.rollup]: 'sub' };
/** How long a deleted key is remembered where keys have a time to live. */
const GONE_TTL_MS = 60_000;
const NOTHING = new Uint8Array(0);

interface Write<T> {
  key: string;
  value: T;
  revision: number;
  headers?: Record<string, string>;
}

/**
 * A bucket as a stream with one subject a key, laid out as NATS's own key-value stores are, so that their tools read it.
 * Conditions and times to live are written by headers of the publish itself: the client's key-value calls drop some.
 */
export class StreamBucket<T> implements Bucket<T> {
  readonly name: string;
  private readonly stream: string;
  private readonly prefix: string;
  private readonly fenced: FencedWrites;

  constructor(
    private readonly store: Store,
    private readonly definition: BucketDefinition,
    private readonly parse: BucketParser<T>,
  ) {
    this.name = definition.name;
    this.stream = bucketStream(definition.name);
    this.prefix = bucketSubject(definition.name, '');
    this.fenced = new FencedWrites(store, this.stream, definition.atomic === true);
  }

  async get(key: string): Promise<Entry<T> | undefined> {
    const m = await this.store.newest(this.stream, this.subject(key));
    return m === undefined || isGone(m) ? undefined : this.entry(m);
  }

  async put(key: string, value: T, revision: number, write: BucketWrite = {}): Promise<number> {
    return await this.overGone(revision === 0 ? [key] : [], (gone) =>
      this.publish(key, value, { ...write, expect: { sequence: gone.get(key) ?? revision } }),
    );
  }

  async putFenced(
    key: string,
    value: T,
    fence: { key: string; revision: number },
    write: BucketWrite = {},
  ): Promise<number> {
    const expect = { sequence: fence.revision, subject: this.subject(fence.key) };
    // A transaction's messages have no time to live.
    if (write.ttlMs !== undefined) return await this.publish(key, value, { ...write, expect });
    const headers = this.headersOf(write.headers);
    const item = { subject: this.subject(key), body: encode(value), headers };
    return await this.fenced.write({ item, fence: expect });
  }

  async putAll(
    writes: { key: string; value: T; revision: number; headers?: Record<string, string> }[],
  ): Promise<number[]> {
    if (writes.length === 0) return [];
    const fresh = writes.filter((w) => w.revision === 0).map((w) => w.key);
    const last = await this.overGone(fresh, (gone) => this.publishAll(writes, gone));
    return writes.map((_, i) => last - writes.length + 1 + i);
  }

  async set(key: string, value: T, write: BucketWrite = {}): Promise<number> {
    return await this.publish(key, value, write);
  }

  async delete(key: string, revision?: number): Promise<void> {
    await this.store.publish(this.subject(key), NOTHING, {
      headers: GONE,
      ...(this.definition.perKeyTtl === true ? { ttlMs: GONE_TTL_MS } : {}),
      ...(revision === undefined ? {} : { expect: { sequence: revision } }),
    });
  }

  async keys(): Promise<string[]> {
    const keys: string[] = [];
    const following = await this.store.follow(
      this.stream,
      (m) => {
        if (!isGone(m)) keys.push(this.key(m.subject));
      },
      { headersOnly: true },
    );
    await following.caughtUp;
    await following.drain();
    return [...new Set(keys)].toSorted();
  }

  async follow(
    handler: (change: BucketChange<T>) => void | Promise<void>,
    options: { keys?: string[]; onCaughtUp?: () => void; onRestart?: () => void | Promise<void> } = {},
  ): Promise<Following> {
    const { keys, onCaughtUp, onRestart } = options;
    const keysThere = new Set<string>();
    // After a restart: keys that have not shown up again.
    let missing = new Set<string>();
    const see = (change: BucketChange<T>) => {
      missing.delete(change.key);
      if (change.kind === 'gone') keysThere.delete(change.key);
      else keysThere.add(change.key);
      return handler(change);
    };
    return await this.store.follow(this.stream, (m) => see(this.change(m)), {
      ...(keys === undefined ? {} : { filters: keys.map((key) => requireFilter(`${this.prefix}${key}`)) }),
      ...(onCaughtUp === undefined ? {} : { onCaughtUp }),
      onRestart: async () => {
        missing = new Set(keysThere);
        await onRestart?.();
      },
      onRestarted: async () => {
        for (const key of missing) await see({ kind: 'gone', key, revision: 0 });
      },
    });
  }

  private subject(key: string): string {
    return this.prefix + requireKey(key);
  }

  private key(subject: string): string {
    return subject.slice(this.prefix.length);
  }

  private entry(m: StoredMessage): Entry<T> {
    const { subject, headers, sequence: revision, storedAt: at } = m;
    const key = this.key(subject);
    try {
      return { key, value: this.parse(m.json(), headers), revision, headers, at };
    } catch (cause) {
      throw new Malformed(`bucket ${this.name}, key ${key}: ${reasonOf(cause)}`, { cause });
    }
  }

  private change(m: StoredMessage): BucketChange<T> {
    const key = this.key(m.subject);
    if (isGone(m)) return { kind: 'gone', key, revision: m.sequence };
    try {
      return { kind: 'put', ...this.entry(m) };
    } catch (error) {
      return { kind: 'malformed', key, revision: m.sequence, reason: reasonOf(error) };
    }
  }

  private async publish(key: string, value: T, options: PublishOptions): Promise<number> {
    const headers = this.headersOf(options.headers);
    const group = this.definition.atomic === true ? { group: this.stream } : {};
    const ack = await this.store.publish(this.subject(key), encode(value), { ...options, headers, ...group });
    return ack.sequence;
  }

  private headersOf(headers: Headers | undefined): Headers {
    return { ...headers, ...this.parse.headers };
  }

  private async publishAll(writes: readonly Write<T>[], gone: Map<string, number>): Promise<number> {
    const items = writes.map(({ key, value, revision, headers }) => ({
      subject: this.subject(key),
      body: encode(value),
      expect: { sequence: gone.get(key) ?? revision },
      headers: this.headersOf(headers),
    }));
    return (await this.store.publishBatch(items)).sequence;
  }

  /**
   * A deleted key has no value but still a sequence. So a write that expects none and is refused looks whether that is
   * why, and then writes over what is left of the keys.
   */
  private async overGone(
    keys: string[],
    act: (gone: Map<string, number>) => Promise<number>,
  ): Promise<number> {
    try {
      return await act(new Map());
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      const gone = await this.goneOf(keys);
      if (gone.size === 0) throw error;
      return await act(gone);
    }
  }

  private async goneOf(keys: string[]): Promise<Map<string, number>> {
    const gone = new Map<string, number>();
    await Promise.all(
      keys.map(async (key) => {
        const m = await this.store.newest(this.stream, this.subject(key));
        if (m !== undefined && isGone(m)) gone.set(key, m.sequence);
      }),
    );
    return gone;
  }
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function isGone(m: StoredMessage): boolean {
  return m.headers[NATS.markerReason] !== undefined || (m.headers[OPERATION] ?? 'PUT') !== 'PUT';
}
