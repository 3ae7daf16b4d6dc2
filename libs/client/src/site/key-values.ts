import { datasetEntrySchema, type DatasetEntry } from '@skerry/contracts';
import { z } from 'zod';
import { ProblemError, Unreachable } from '../errors.js';
import type { Transport } from '../transport.js';
import { datasetPath } from './paths.js';
import { type KeyChange, watchKeys, type WatchOptions } from './watch-keys.js';

// What a newer agent says besides is not looked at: it may be newer than the application for years.
const entrySchema = z.object(datasetEntrySchema.shape);
const answerSchema = z.object({ entry: entrySchema });
const pageSchema = z.object({ entries: entrySchema.array(), next: z.string().optional() });

/** How often a value is sent whose writing may or may not have been heard. */
const MOST_SENT = 3;

export interface ListOptions {
  /** Only keys that begin so. */
  prefix?: string;
  /** The key after which to begin. */
  after?: string;
  signal?: AbortSignal;
}

/** A dataset of keys as the copy at this node has it. */
export class KeyValues {
  constructor(
    private readonly transport: Transport,
    private readonly name: string,
  ) {}

  /**
   * What a key holds: `value`, `values` (keep-both), `number` (counter) or `elements` (set). Undefined for nothing; a dataset that
   * is not here is refused (`not-found`).
   */
  async get(key: string): Promise<DatasetEntry | undefined> {
    const call = { method: 'GET' as const, path: datasetPath(this.name, key) };
    try {
      return (await this.transport.call(call, answerSchema)).value.entry;
    } catch (error) {
      if (!(error instanceof ProblemError) || error.problem.code !== 'not-found') throw error;
    }
    // The key, or the dataset? A list is refused of the latter.
    const { entries } = await this.page({ prefix: key, limit: 1 });
    return entries.find((entry) => entry.key === key);
  }

  /**
   * Writes a value, at most 64 KiB of UTF-8. Under `keep-both`, given the entry as it was read, it takes the place of what was seen
   * there; given a key it stands beside. When it is not known whether it was heard, it is looked for before it is sent again.
   */
  async put(at: string | DatasetEntry, value: string): Promise<DatasetEntry> {
    const call = { ...this.written(at), method: 'PUT' as const, content: value, again: 'undone' as const };
    for (let sent = 1; ; sent += 1) {
      try {
        return (await this.transport.call(call, answerSchema)).value.entry;
      } catch (error) {
        if (!(error instanceof Unreachable) || error.unheard || sent >= MOST_SENT) throw error;
        // Under keep-both it would stand beside itself.
        const there = await this.get(keyOf(at));
        if (there?.values?.includes(value) === true && there.context !== contextOf(at)) return there;
      }
    }
  }

  /**
   * Reads, has `change` say what to write, and writes that in the place of what was read; undefined leaves it as it is. Under
   * `keep-both` nothing that others write meanwhile is lost: it stands beside, and the next `update` sees all `values`. Under
   * `newest` the last writer wins.
   */
  async update(
    key: string,
    change: (entry: DatasetEntry | undefined) => string | undefined | Promise<string | undefined>,
  ): Promise<DatasetEntry | undefined> {
    const entry = await this.get(key);
    const value = await change(entry);
    return value === undefined ? entry : await this.put(entry ?? key, value);
  }

  /** Deletes a key; given the entry as it was read, under `keep-both` only what was seen there. */
  async delete(at: string | DatasetEntry): Promise<void> {
    await this.transport.call({ ...this.written(at), method: 'DELETE' }, answerSchema);
  }

  /**
   * Adds to a counter, below 0 takes away; answers what this site then knows of it. Nothing tells one count from its repetition, so
   * it is tried again only where it was certainly not made: after `Unreachable` it may have been.
   */
  async count(key: string, by = 1): Promise<number> {
    return (await this.post(key, { count: by }, 'undone')).number ?? 0;
  }

  /** Adds elements to a set and removes others, at most 256 of each; answers all that it has then, in order. */
  async change(
    key: string,
    { add = [], remove = [] }: { add?: readonly string[]; remove?: readonly string[] },
  ): Promise<string[]> {
    const some = {
      ...(add.length === 0 ? {} : { add }),
      ...(remove.length === 0 ? {} : { remove }),
    };
    return (await this.post(key, some, 'always')).elements ?? [];
  }

  /** Entries in the order of their keys, fetched page by page. */
  async *list({ prefix, after: first, signal }: ListOptions = {}): AsyncGenerator<DatasetEntry> {
    let after = first;
    do {
      const page = await this.page({ prefix, after }, signal);
      yield* page.entries;
      after = page.next;
    } while (after !== undefined);
  }

  /** What is there and whatever changes, see `KeyChange`; goes on over an agent that is started again. */
  watch(options: WatchOptions = {}): AsyncGenerator<KeyChange> {
    const { prefix, signal } = options;
    const list = () => this.list({ ...(prefix === undefined ? {} : { prefix }), ...(signal && { signal }) });
    return watchKeys({ transport: this.transport, path: datasetPath(this.name), list }, options);
  }

  private async page(
    query: { prefix?: string | undefined; after?: string | undefined; limit?: number },
    signal?: AbortSignal,
  ): Promise<z.infer<typeof pageSchema>> {
    const call = { method: 'GET' as const, path: datasetPath(this.name), query, ...(signal && { signal }) };
    return (await this.transport.call(call, pageSchema)).value;
  }

  private async post(key: string, body: object, again: 'always' | 'undone'): Promise<DatasetEntry> {
    const call = { method: 'POST' as const, path: datasetPath(this.name, key), body, again };
    return (await this.transport.call(call, answerSchema)).value.entry;
  }

  private written(at: string | DatasetEntry): { path: string; headers: Record<string, string> } {
    const context = contextOf(at);
    return {
      path: datasetPath(this.name, keyOf(at)),
      headers: context === undefined ? {} : { 'skerry-context': context },
    };
  }
}

function keyOf(at: string | DatasetEntry): string {
  return typeof at === 'string' ? at : at.key;
}

function contextOf(at: string | DatasetEntry): string | undefined {
  return typeof at === 'string' ? undefined : at.context;
}
