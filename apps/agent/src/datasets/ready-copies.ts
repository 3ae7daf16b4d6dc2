import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { workloadKey, type DatasetUse } from '@skerry/contracts';
import { z } from 'zod';
import { readJson, writeAtomic } from '../files/atomic-file.js';
import { reason, type Log } from '../log.js';
import type { Copies } from './copies.js';
import type { EntryLogs } from './logs/entry-logs.js';

/** How often is looked whether a copy is caught up, for as long as something waits for it. */
const LOOK_MS = 200;
/** After so much silence of the hub a copy that was caught up once will do: it is pinged every 5 s. */
const SILENCE_MS = 7_000;
const fileSchema = z.record(z.string(), z.number());

/** How many sequences of the hub's stream a copy is behind; undefined: the hub has not said where it is. */
export type Behind = (key: string) => number | undefined;

/** What is here, and how long the hub has not been heard, ms. */
interface ReadyOf {
  copies: Copies;
  logs: EntryLogs;
  silentMs: () => number;
  log: Log;
}

/**
 * Whether the copies that a workload uses are caught up at this node: each has everything that the hub said there is; cut off
 * from the hub, one that had everything once. Which ones had is written down, so that it is known after a restart too. Of a log that
 * is only written here, or of which no site gets what others write, it is enough that it is here.
 */
export class ReadyCopies {
  private readonly behind: Record<'copies' | 'logs', Behind> = {
    copies: () => undefined,
    logs: () => undefined,
  };
  private writing: Promise<void> = Promise.resolve();
  private readonly ended = new AbortController();

  private constructor(
    private readonly path: string,
    private readonly whole: Map<string, number>,
    private readonly of: ReadyOf,
  ) {}

  static async open(path: string, of: ReadyOf): Promise<ReadyCopies> {
    const kept = fileSchema.safeParse(await readJson(path).catch(() => undefined));
    return new ReadyCopies(path, new Map(kept.success ? Object.entries(kept.data) : []), of);
  }

  /** By whom is known how far copies, or logs, are behind. */
  measuredBy(what: 'copies' | 'logs', behind: Behind): void {
    this.behind[what] = behind;
  }

  /** A copy has everything that there is; true when it had not before. */
  isWhole(key: string, incarnation: number): boolean {
    if (this.whole.get(key) === incarnation) return false;
    this.whole.set(key, incarnation);
    // What was forgotten meanwhile is left out.
    for (const known of this.whole.keys()) if (!this.isHere(known)) this.whole.delete(known);
    this.writing = this.writing.then(async () => await this.write());
    return true;
  }

  /** It is here no more: when it comes back it begins with nothing. */
  isGone(key: string): void {
    if (this.whole.delete(key)) this.writing = this.writing.then(async () => await this.write());
  }

  /** Resolves when the copies may be used, with true; with false when nobody wants them any more. `waits` is told why, when that changes. */
  async untilReady(
    { project, data = [] }: { project: string; data?: readonly DatasetUse[] | undefined },
    of: { wanted: () => boolean; waits: (why: string | undefined) => void },
  ): Promise<boolean> {
    let said: string | undefined;
    while (of.wanted() && !this.ended.signal.aborted) {
      const [why] = data.flatMap((use) => this.lacks(project, use) ?? []);
      if (why !== said) of.waits(why);
      if (why === undefined) return true;
      said = why;
      await sleep(LOOK_MS, undefined, { signal: this.ended.signal }).catch(() => undefined);
    }
    return false;
  }

  /** Nothing waits any more. Resolves when all is written. */
  async close(): Promise<void> {
    this.ended.abort();
    await this.writing;
  }

  private lacks(project: string, { dataset, access }: DatasetUse): string | undefined {
    const key = workloadKey(project, dataset);
    const entries = this.of.logs.get(key)?.log;
    const copy = entries ?? this.of.copies.get(key)?.copy;
    const name = `${project}/${dataset}`;
    if (copy === undefined) return `waits for a copy of ${name} here`;
    if (entries !== undefined && (access === 'write' || entries.rule.flow === 'collect')) return undefined;
    const notHome = access === 'write' && 'home' in copy ? copy.home.waits(copy.rule) : undefined;
    if (notHome !== undefined) return notHome;
    const behind = this.behind[entries === undefined ? 'copies' : 'logs'](key);
    const silent = this.of.silentMs() > SILENCE_MS;
    if (behind !== undefined && !silent)
      return behind === 0 ? undefined : `waits until the copy of ${name} here is caught up`;
    if (!silent) return `waits for the hub to say where ${name} is`;
    if (this.whole.get(key) === copy.rule.incarnation) return undefined;
    return `waits for the hub: the copy of ${name} here was never whole`;
  }

  private isHere(key: string): boolean {
    return this.of.copies.get(key) !== undefined || this.of.logs.get(key) !== undefined;
  }

  private async write(): Promise<void> {
    try {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
      await writeAtomic(this.path, JSON.stringify(Object.fromEntries(this.whole)));
    } catch (error) {
      this.of.log.warn('which copies are whole was not written down', { reason: reason(error) });
    }
  }
}
