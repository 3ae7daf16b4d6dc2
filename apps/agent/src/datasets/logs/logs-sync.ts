import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus, Subscription } from '@skerry/bus';
import {
  entryDeliverySchema,
  LIMITS,
  logNewsSchema,
  logsRequestSchema,
  parseAcross,
  SITE,
  workloadKey,
  type LogNews,
} from '@skerry/contracts';
import { reason, type Log } from '../../log.js';
import { Repeated } from '../repeated.js';
import type { EntryLogs } from './entry-logs.js';
import { EntrySync } from './entry-sync.js';

/** All logs are compared with the hub this often, whatever else. */
const GREET_EVERY_MS = 5 * 60_000;
const ANSWER_MS = 2_000;
/** How often is looked whether the hub is heard again, and after how much silence it counts: it is pinged every 5 s. */
const LOOK_MS = 500;
const SILENCE_MS = 7_000;
const RETRY_MS = 250;
/** A hub that answers nothing of logs is asked this seldom; one that comes back is asked at once. */
const RETRY_MAX_MS = 30_000;

export interface LogsSyncOptions {
  logs: EntryLogs;
  /** ms since the hub was heard. */
  silentMs: () => number;
  log: Log;
}

/** Keeps the logs of this node in step with the hub, as `DatasetSync` does for copies of the other kind. */
export class LogsSync {
  private readonly syncs = new Map<string, EntrySync>();
  private readonly subscriptions: Subscription[] = [];
  private readonly timers: NodeJS.Timeout[] = [];
  private stopConnection: () => void = () => undefined;
  private readonly greeting = new Repeated(async () => await this.untilGreeted());
  private resting = new AbortController();
  private pauseMs = RETRY_MS;
  private wasSilent = false;
  private readonly ended = new AbortController();

  constructor(
    private readonly bus: Bus,
    private readonly options: LogsSyncOptions,
  ) {}

  start(): void {
    const { logs } = this.options;
    for (const [key] of logs.all()) this.syncOf(key);
    logs.onWrite((key) => this.syncs.get(key)?.send());
    this.subscriptions.push(
      this.bus.listen(SITE.logNews, (m) => this.hearNews(m.json())),
      this.bus.listen(SITE.entryDelivery, (m) => this.hearEntries(m.json())),
    );
    this.timers.push(
      setInterval(() => this.greet(), GREET_EVERY_MS).unref(),
      setInterval(() => this.look(), LOOK_MS).unref(),
    );
    this.stopConnection = this.bus.onConnection((connected) => connected && this.greet());
    this.greet();
  }

  async stop(): Promise<void> {
    this.ended.abort();
    this.stopConnection();
    this.options.logs.onWrite(() => undefined);
    for (const timer of this.timers) clearInterval(timer);
    for (const subscription of this.subscriptions) await subscription.drain();
    for (const sync of this.syncs.values()) sync.stop();
    await this.greeting.settled();
  }

  /** Says where this node is and does what the answer says; again until there is one. */
  greet(): void {
    this.pauseMs = RETRY_MS;
    this.resting.abort();
    this.greeting.ask();
  }

  private async untilGreeted(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      try {
        return await this.exchange();
      } catch (error) {
        this.options.log.debug('the hub says nothing of logs', { reason: reason(error) });
        this.resting = new AbortController();
        const ends = AbortSignal.any([signal, this.resting.signal]);
        await sleep(this.pauseMs, undefined, { signal: ends }).catch(() => undefined);
        this.pauseMs = Math.min(this.pauseMs * 2, RETRY_MAX_MS);
      }
    }
  }

  private async exchange(): Promise<void> {
    const { logs } = this.options;
    const held = logs.all().map(([, { log }]) => {
      const { project, name, incarnation, generation } = log.rule;
      return { project, name, incarnation, generation };
    });
    const store = logs.store === undefined ? {} : { store: logs.store };
    const body = logsRequestSchema.parse({ ...store, held: held.slice(0, LIMITS.copiesPerSite) });
    const answer = await this.bus.request(SITE.logs, body, { timeoutMs: ANSWER_MS });
    const parsed = parseAcross(logNewsSchema, answer.json());
    if (!parsed.ok) throw new Error('an answer that is none');
    await this.apply(parsed.value);
  }

  private async apply({ logs: wanted, gone }: LogNews): Promise<void> {
    const { logs } = this.options;
    for (const { project, name, incarnation } of gone) {
      const key = workloadKey(project, name);
      if (logs.get(key)?.log.rule.incarnation !== incarnation) continue;
      this.syncs.get(key)?.stop();
      this.syncs.delete(key);
      await logs.forget(key);
    }
    for (const { log: rule, head, stored } of wanted) {
      const key = workloadKey(rule.project, rule.name);
      const before = logs.get(key)?.log;
      if (before !== undefined && before.rule.incarnation > rule.incarnation) continue;
      const log = await logs.want(rule);
      if (log !== before) this.syncs.delete(key);
      await this.syncOf(key)?.heardWhere({ head, stored });
    }
  }

  private syncOf(key: string): EntrySync | undefined {
    const there = this.syncs.get(key);
    const kept = this.options.logs.get(key);
    if (there !== undefined || kept === undefined) return there;
    const sync = new EntrySync(this.bus, kept.log, {
      log: this.options.log,
      silent: () => this.options.silentMs() > SILENCE_MS,
      greet: () => this.greet(),
    });
    this.syncs.set(key, sync);
    return sync;
  }

  private hearNews(body: unknown): void {
    const parsed = parseAcross(logNewsSchema, body);
    if (!parsed.ok) return this.options.log.warn('news of logs that are none');
    const { logs, gone } = parsed.value;
    if (logs.length + gone.length === 0) return this.greet();
    this.apply(parsed.value).catch((error: unknown) => {
      this.options.log.warn('news of logs were not taken', { reason: reason(error) });
      this.greet();
    });
  }

  private hearEntries(body: unknown): void {
    const parsed = parseAcross(entryDeliverySchema, body);
    if (!parsed.ok) return this.options.log.warn('entries that are none');
    const { project, name, incarnation } = parsed.value;
    const sync = this.syncs.get(workloadKey(project, name));
    if (sync?.incarnation === incarnation) sync.hear(parsed.value);
    else this.greet();
  }

  private look(): void {
    const silent = this.options.silentMs() > SILENCE_MS;
    if (this.wasSilent && !silent) {
      this.greet();
      for (const sync of this.syncs.values()) sync.send();
    }
    this.wasSilent = silent;
  }
}
