import { LIMITS, logItemSchema } from '@skerry/contracts';
import { z } from 'zod';
import type { Transport } from '../transport.js';
import { logPath } from './paths.js';
import { type Followed, Patience } from './patience.js';

const appendedSchema = z.object({ appended: z.number(), kept: z.number() });
const pageSchema = z.object({
  items: z.array(logItemSchema),
  /** For the next time. */
  since: z.string(),
  /** There is more at once. */
  more: z.boolean(),
  /** What lay between `since` and the first of these is here no more. */
  lost: z.boolean().optional(),
});
/** Entries, and gaps where there are some no more, with where to go on. */
export type LogPage = z.infer<typeof pageSchema>;
/** How many entries were taken, and how many of them the edge's rule lets travel at once. */
export type Appended = z.infer<typeof appendedSchema>;

export interface ReadOptions {
  /** What follows this page's `since`. Default: the newest. */
  since?: string | undefined;
  /** What was written from this moment on, ms since 1970. */
  fromMs?: number;
  /** Only what was written at this site. */
  site?: string;
  /** Entries of a page, at most 1,000. Default 100. */
  limit?: number;
}

/** Some of the entries were taken before the others failed, for the reason in `cause`. */
export class PartlyAppended extends Error {
  override readonly name = 'PartlyAppended';
  constructor(
    /** The first so many are in the log. */
    readonly appended: number,
    cause: unknown,
  ) {
    super(`the first ${appended} entries were appended`, { cause });
  }
}

/** A log as this node has it. */
export class SiteLog {
  constructor(
    private readonly transport: Transport,
    private readonly name: string,
  ) {}

  /**
   * Appends an entry, or several in their order; acknowledged when they are on the disk. Nothing tells an entry from its repetition,
   * so it is tried again only where it was certainly not taken: after `Unreachable` it may have been. Many go in parts; when a
   * later part fails, `PartlyAppended` is thrown.
   */
  async append(entries: string | readonly string[]): Promise<Appended> {
    const all = { appended: 0, kept: 0 };
    for (const part of partsOf(typeof entries === 'string' ? [entries] : entries)) {
      try {
        const { appended, kept } = await this.post(part);
        all.appended += appended;
        all.kept += kept;
      } catch (error) {
        if (all.appended === 0) throw error;
        throw new PartlyAppended(all.appended, error);
      }
    }
    return all;
  }

  /** A page of what is here. */
  async read(options: ReadOptions = {}): Promise<LogPage> {
    return await this.page({ ...options });
  }

  /**
   * Pages as entries come, over an agent that is started again. Who keeps the `since` of the last page that he is done with, and
   * gives it back, misses none. The first page comes at once, though it may be empty; ends quietly when the signal aborts.
   */
  async *follow(options: ReadOptions & Followed = {}): AsyncGenerator<LogPage> {
    const { signal, onBreak: _onBreak, patienceMs: _patienceMs, ...asked } = options;
    const patience = new Patience(options);
    let { since } = asked;
    for (let first = true; patience.goesOn;) {
      try {
        const waitMs = first ? 0 : LIMITS.watchWaitMs;
        const page = await this.page({ ...asked, since, waitMs }, signal);
        patience.heard();
        if (first || page.items.length > 0 || page.lost === true) yield page;
        first = false;
        ({ since } = page);
      } catch (error) {
        if (!(await patience.bears(error))) return;
      }
    }
  }

  private async page(
    query: Record<string, string | number | undefined>,
    signal?: AbortSignal,
  ): Promise<LogPage> {
    const call = { method: 'GET' as const, path: logPath(this.name), query, ...(signal && { signal }) };
    return (await this.transport.call(call, pageSchema)).value;
  }

  private async post(part: readonly string[]): Promise<Appended> {
    const call = {
      method: 'POST' as const,
      path: logPath(this.name),
      content: part.join('\n'),
      again: 'undone' as const,
      ...(part.length === 1 ? {} : { query: { lines: 1 } }),
    };
    return (await this.transport.call(call, appendedSchema)).value;
  }
}

/** What goes in one request: lines as many as it takes, or one entry that is no line. */
function* partsOf(entries: readonly string[]): Generator<string[]> {
  const bytes = new TextEncoder();
  let part: string[] = [];
  let size = 0;
  for (const entry of entries) {
    const own = bytes.encode(entry).length + 1;
    const isLine = entry !== '' && !entry.includes('\n');
    const isFull = part.length === LIMITS.valuesPerAppend || size + own > LIMITS.recordsBytes;
    if (part.length > 0 && (!isLine || isFull)) {
      yield part;
      [part, size] = [[], 0];
    }
    if (isLine) {
      part.push(entry);
      size += own;
    } else yield [entry];
  }
  if (part.length > 0) yield part;
}
