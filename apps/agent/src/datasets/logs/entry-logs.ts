import { randomBytes } from 'node:crypto';
import type { LogRule } from '@skerry/contracts';
import { reason, type Log } from '../../log.js';
import { Changes } from '../changes.js';
import { StoreFolder } from '../store-folder.js';
import { EntryLog } from './entry-log.js';

/** How often is looked whether a window is over, and whether something has become too old. */
const WINDOWS_MS = 500;
const EXPIRE_MS = 30_000;
const STORE_BYTES = 8;

/** A log with what its readers wait for. */
export interface KeptLog {
  log: EntryLog;
  more: Changes;
}

/** Every log at this node, in one folder: `store.json` is who it is, `<project>.<dataset>.log` a folder with what it holds. */
export class EntryLogs {
  readonly site: string;
  readonly node: string;
  private readonly log: Log;
  private readonly folder: StoreFolder<LogRule, KeptLog>;
  private readonly timers: NodeJS.Timeout[] = [];
  private written: (key: string) => void = () => undefined;

  private constructor(folder: string, { site, node, log }: { site: string; node: string; log: Log }) {
    [this.site, this.node, this.log] = [site, node, log];
    this.folder = new StoreFolder(
      folder,
      {
        what: 'log',
        open: async (at, rule) => await this.open(at, rule),
        parts: ({ log: stored, more: changes }) => ({ stored, changes }),
        owes: ({ log: stored }) => stored.owes,
      },
      log,
    );
  }

  /** Opens what is on the disk. Makes nothing on the disk of a node that has no logs. */
  static async open(folder: string, of: { site: string; node: string; log: Log }): Promise<EntryLogs> {
    const logs = new EntryLogs(folder, of);
    await logs.folder.load();
    logs.timers.push(
      setInterval(() => logs.closeWindows(), WINDOWS_MS).unref(),
      setInterval(() => logs.expire(), EXPIRE_MS).unref(),
    );
    return logs;
  }

  /** Who this node is among those that write; undefined before it had a log. */
  get store(): string | undefined {
    return this.folder.store;
  }

  /** Called with the key of each log that has something to go up. */
  onWrite(listener: (key: string) => void): void {
    this.written = listener;
  }

  get(key: string): KeptLog | undefined {
    return this.folder.held.get(key);
  }

  all(): [string, KeptLog][] {
    return [...this.folder.held];
  }

  /** What is wrong with them. */
  get trouble(): string | undefined {
    for (const { log } of this.folder.held.values()) if (log.trouble !== undefined) return log.trouble;
    return undefined;
  }

  /** Has a log as the rule says from now on: the same, changed, or a new one in the place of one of before. */
  async want(rule: LogRule): Promise<EntryLog> {
    return (await this.folder.want(rule)).log;
  }

  /** Nothing of it stays here. */
  async forget(key: string): Promise<void> {
    await this.folder.forget(key);
  }

  /** Forgets a log of which the hub has every entry that was or will be made here. False when it has not: then it stays. */
  async giveUp(key: string): Promise<boolean> {
    return await this.folder.giveUp(key);
  }

  async close(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await this.folder.close();
  }

  private closeWindows(): void {
    for (const { log } of this.folder.held.values())
      log.closeWindows(Date.now()).catch((e: unknown) => this.failed(e));
  }

  private expire(): void {
    for (const { log } of this.folder.held.values())
      log.expire(Date.now()).catch((e: unknown) => this.failed(e));
  }

  /** It is tried again; what is wrong is in the log's own trouble too. */
  private failed(error: unknown): void {
    this.log.debug('a log was not tended', { reason: reason(error) });
  }

  private async open(
    { key, path: folder }: { key: string; path: string },
    rule: LogRule | undefined,
  ): Promise<KeptLog | undefined> {
    const more = new Changes();
    // Of a log that is made: in one that was here before it had given numbers that it does not know of.
    const store = randomBytes(STORE_BYTES).toString('hex');
    const onMore = () => {
      more.end();
      this.written(key);
    };
    const log = await EntryLog.open({ folder, site: this.site, store, onMore }, rule);
    return log && { log, more };
  }
}
