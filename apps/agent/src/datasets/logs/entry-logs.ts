import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { storeSchema, workloadKey, type LogRule } from '@skerry/contracts';
import { z } from 'zod';
import { readJson, writeAtomic } from '../../files/atomic-file.js';
import { reason, type Log } from '../../log.js';
import { Changes } from '../changes.js';
import { EntryLog } from './entry-log.js';

/** How often is looked whether a window is over, and whether something has become too old. */
const WINDOWS_MS = 500;
const EXPIRE_MS = 30_000;
const ENDING = '.log';
const storeFile = z.strictObject({ store: storeSchema });

/** A log with what its readers wait for. */
export interface KeptLog {
  log: EntryLog;
  more: Changes;
}

/** Every log at this node, in one folder: `store.json` is who it is, `<project>.<dataset>.log` a folder with what it holds. */
export class EntryLogs {
  private readonly kept = new Map<string, KeptLog>();
  private readonly timers: NodeJS.Timeout[] = [];
  private written: (key: string) => void = () => undefined;
  /** What is made or goes, one after the other: a node draws who it is once. */
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly folder: string,
    readonly site: string,
    readonly node: string,
    private known: string | undefined,
    private readonly log: Log,
  ) {}

  /** Opens what is on the disk. Makes nothing on the disk of a node that has no logs. */
  static async open(folder: string, of: { site: string; node: string; log: Log }): Promise<EntryLogs> {
    const kept = storeFile.safeParse(await readJson(join(folder, 'store.json')).catch(() => undefined));
    const logs = new EntryLogs(folder, of.site, of.node, kept.success ? kept.data.store : undefined, of.log);
    const names = kept.success ? await readdir(folder).catch(() => []) : [];
    for (const name of names.filter((n) => n.endsWith(ENDING)))
      await logs.load(name.slice(0, -ENDING.length));
    logs.timers.push(
      setInterval(() => logs.closeWindows(), WINDOWS_MS).unref(),
      setInterval(() => logs.expire(), EXPIRE_MS).unref(),
    );
    return logs;
  }

  /** Who this node is among those that write; undefined before it had a log. */
  get store(): string | undefined {
    return this.known;
  }

  /** Called with the key of each log that has something to go up. */
  onWrite(listener: (key: string) => void): void {
    this.written = listener;
  }

  get(key: string): KeptLog | undefined {
    return this.kept.get(key);
  }

  all(): [string, KeptLog][] {
    return [...this.kept];
  }

  /** What is wrong with them. */
  get trouble(): string | undefined {
    for (const { log } of this.kept.values()) if (log.trouble !== undefined) return log.trouble;
    return undefined;
  }

  /** Has a log as the rule says from now on: the same, changed, or a new one in the place of one of before. */
  async want(rule: LogRule): Promise<EntryLog> {
    return await this.inTurn(async () => await this.make(rule));
  }

  /** Nothing of it stays here. */
  async forget(key: string): Promise<void> {
    await this.inTurn(async () => await this.remove(key));
  }

  async close(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await this.turn;
    for (const { log, more } of this.kept.values()) {
      more.end();
      await log.close();
    }
  }

  private async inTurn<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(run);
    this.turn = mine.catch(() => undefined);
    return await mine;
  }

  private async make(rule: LogRule): Promise<EntryLog> {
    const key = workloadKey(rule.project, rule.name);
    const there = this.kept.get(key);
    if (there?.log.rule.incarnation === rule.incarnation) {
      await there.log.change(rule);
      return there.log;
    }
    if (there !== undefined) await this.remove(key);
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    if (this.known === undefined) {
      const store = randomBytes(8).toString('hex');
      await writeAtomic(join(this.folder, 'store.json'), JSON.stringify({ store }));
      this.known = store;
    }
    const log = await this.open(key, rule);
    if (log === undefined) throw new Error(`make the log ${key}`);
    this.log.info('a log is kept here from now on', { dataset: key });
    return log;
  }

  private async remove(key: string): Promise<void> {
    const there = this.kept.get(key);
    if (there === undefined) return;
    this.kept.delete(key);
    there.more.end();
    await there.log.forget();
    this.log.info('a log is kept here no more', { dataset: key });
  }

  private closeWindows(): void {
    for (const { log } of this.kept.values())
      log.closeWindows(Date.now()).catch((e: unknown) => this.failed(e));
  }

  private expire(): void {
    for (const { log } of this.kept.values()) log.expire(Date.now()).catch((e: unknown) => this.failed(e));
  }

  /** It is tried again; what is wrong is in the log's own trouble too. */
  private failed(error: unknown): void {
    this.log.debug('a log was not tended', { reason: reason(error) });
  }

  private async load(key: string): Promise<void> {
    try {
      await this.open(key);
    } catch (error) {
      this.log.error('a log cannot be read', { alarm: 'log-damaged', dataset: key, reason: reason(error) });
    }
  }

  private async open(key: string, rule?: LogRule): Promise<EntryLog | undefined> {
    const more = new Changes();
    const { site, known: store = '' } = this;
    const onMore = () => {
      more.end();
      this.written(key);
    };
    const log = await EntryLog.open(
      { folder: join(this.folder, `${key}${ENDING}`), site, store, onMore },
      rule,
    );
    if (log !== undefined) this.kept.set(key, { log, more });
    return log;
  }
}
