import { statusSchema, type Status } from '@skerry/contracts';
import { Redis } from 'ioredis';
import { isOf, type ReadModel, type ReadModelChange, type StatusPage } from './read-model.js';

const COMMAND_MS = 1_000;
const RECONNECT_MAX_MS = 2_000;
/** Statuses read with one round trip. */
const READ_AT_ONCE = 64;
/** Statuses written with one round trip. */
const WRITE_AT_ONCE = 256;

/** The read model of all instances, in Redis: one string a workload, and a sorted set of their keys for paging. */
export class RedisReadModel implements ReadModel {
  readonly shared = true;
  private readonly redis: Redis;
  private readonly names: { keys: string; mark: string };

  /** Connects in the background. `warn` hears of lost connections, without the URL: it may hold a password. */
  constructor(
    url: string,
    private readonly prefix: string,
    warn: (why: string) => void,
  ) {
    this.names = { keys: `${prefix}keys`, mark: `${prefix}mark` };
    this.redis = new Redis(url, {
      commandTimeout: COMMAND_MS,
      maxRetriesPerRequest: 1,
      retryStrategy: (times) => Math.min(times * 100, RECONNECT_MAX_MS),
    });
    let warned = false;
    this.redis.on('ready', () => {
      warned = false;
    });
    this.redis.on('error', (error: NodeJS.ErrnoException) => {
      if (!warned) warn(`Redis cannot be reached: ${error.code ?? 'connection lost'}`);
      warned = true;
    });
  }

  async write(changes: readonly ReadModelChange[]): Promise<void> {
    for (let i = 0; i < changes.length; i += WRITE_AT_ONCE) {
      const batch = this.redis.pipeline();
      for (const { key, status } of changes.slice(i, i + WRITE_AT_ONCE)) {
        if (status === undefined) batch.del(this.nameOf(key)).zrem(this.names.keys, key);
        else batch.set(this.nameOf(key), JSON.stringify(status)).zadd(this.names.keys, 0, key);
      }
      const failed = (await batch.exec())?.find(([error]) => error !== null);
      if (failed?.[0]) throw failed[0];
    }
  }

  async get(key: string): Promise<Status | undefined> {
    return parsed(await this.redis.get(this.nameOf(key)));
  }

  async page({ project, after, bytes }: Parameters<ReadModel['page']>[0]): Promise<StatusPage> {
    const items: Status[] = [];
    let left = bytes;
    let last = after;
    for (;;) {
      const keys = await this.keysAfter(project, last);
      if (keys.length === 0) return { items };
      const texts = await this.redis.mget(keys.map((key) => this.nameOf(key)));
      for (const [i, key] of keys.entries()) {
        const text = texts[i];
        const status = parsed(text);
        if (status === undefined) continue;
        left -= Buffer.byteLength(text ?? '');
        if (left < 0 && items.length > 0 && last !== undefined) return { items, next: last };
        items.push(status);
        last = key;
      }
      last = keys.at(-1) ?? last;
    }
  }

  async keys(): Promise<string[]> {
    return this.redis.zrangebylex(this.names.keys, '-', '+');
  }

  async mark(epoch: number): Promise<void> {
    await this.redis.set(this.names.mark, String(epoch));
  }

  async marked(): Promise<number | undefined> {
    const text = await this.redis.get(this.names.mark);
    return text === null ? undefined : Number(text);
  }

  async close(): Promise<void> {
    this.redis.disconnect();
  }

  private async keysAfter(project: string | undefined, after: string | undefined): Promise<string[]> {
    const from = project === undefined ? '-' : `[${project}.`;
    const start =
      after === undefined || (project !== undefined && after < `${project}.`) ? from : `(${after}`;
    const keys = await this.redis.zrangebylex(this.names.keys, start, '+', 'LIMIT', 0, READ_AT_ONCE);
    return keys.filter((key) => isOf(project, key));
  }

  private nameOf(key: string): string {
    return `${this.prefix}status:${key}`;
  }
}

/** What an older version of Skerry wrote may be another shape: it counts as absent until it is written anew. */
function parsed(text: string | null | undefined): Status | undefined {
  if (text === null || text === undefined) return undefined;
  try {
    return statusSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
