import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus, Subscription } from '@skerry/bus';
import {
  copiesRequestSchema,
  copyNewsSchema,
  deliverySchema,
  LIMITS,
  parseAcross,
  SITE,
  workloadKey,
  type CopyNews,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import type { Copies } from './copies.js';
import type { RefusalsHere } from './refused-here.js';
import type { ReadyCopies } from './ready-copies.js';
import { CopySync } from './copy-sync.js';
import { Repeated } from './repeated.js';

/** All copies are compared with the hub this often, whatever else. */
const GREET_EVERY_MS = 5 * 60_000;
const ANSWER_MS = 2_000;
/** How often is looked whether the hub is heard again, and after how much silence it counts: it is pinged every 5 s. */
const LOOK_MS = 500;
const SILENCE_MS = 7_000;
/** How long a hub that was silent has to answer who asks whether it is back. */
const PROBE_MS = 1_000;
/** What was refused here is told so long after, with what was refused meanwhile. */
const TELL_MS = 2_000;
const RETRY_MS = 250;
/** A hub that answers nothing of datasets is asked this seldom; one that comes back is asked at once. */
const RETRY_MAX_MS = 30_000;

export interface DatasetSyncOptions {
  copies: Copies;
  ready: Pick<ReadyCopies, 'measuredBy' | 'isWhole'>;
  refusals?: RefusalsHere;
  /** ms since the hub was heard. */
  silentMs: () => number;
  log: Log;
}

/**
 * Keeps the copies of this node in step with the hub: what is written here goes up at once, what comes down is merged, and
 * whenever the hub is back both say where they are and send what the other lacks. Never more than that.
 */
export class DatasetSync {
  private readonly syncs = new Map<string, CopySync>();
  private readonly subscriptions: Subscription[] = [];
  private readonly timers: NodeJS.Timeout[] = [];
  private stopConnection: () => void = () => undefined;
  private readonly greeting = new Repeated(async () => await this.untilGreeted());
  private resting = new AbortController();
  private pauseMs = RETRY_MS;
  private wasSilent = false;
  private telling: NodeJS.Timeout | undefined;
  /** The hub answered here, by the monotonic clock. */
  private answeredAt = Number.NEGATIVE_INFINITY;
  private readonly probing = new Repeated(async () => await this.probe());
  private readonly ended = new AbortController();

  constructor(
    private readonly bus: Bus,
    private readonly options: DatasetSyncOptions,
  ) {}

  start(): void {
    const { copies, ready } = this.options;
    for (const [key] of copies.all()) this.syncOf(key);
    this.options.refusals?.onNoted(() => {
      this.telling ??= setTimeout(() => this.tell(), TELL_MS).unref();
    });
    ready.measuredBy((key) => this.syncs.get(key)?.behind);
    copies.onWrite((key) => this.syncs.get(key)?.send());
    this.subscriptions.push(
      this.bus.listen(SITE.copyNews, (m) => this.hearNews(m.json())),
      this.bus.listen(SITE.recordDelivery, (m) => this.hearRecords(m.json())),
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
    this.options.refusals?.onNoted(() => undefined);
    clearTimeout(this.telling);
    this.stopConnection();
    this.options.copies.onWrite(() => undefined);
    for (const timer of this.timers) clearInterval(timer);
    for (const subscription of this.subscriptions) await subscription.drain();
    for (const sync of this.syncs.values()) sync.stop();
    await this.greeting.settled();
  }

  private tell(): void {
    this.telling = undefined;
    this.greet();
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
        this.options.log.debug('the hub says nothing of copies', { reason: reason(error) });
        this.resting = new AbortController();
        const ends = AbortSignal.any([signal, this.resting.signal]);
        await sleep(this.pauseMs, undefined, { signal: ends }).catch(() => undefined);
        this.pauseMs = Math.min(this.pauseMs * 2, RETRY_MAX_MS);
      }
    }
  }

  private async exchange(): Promise<void> {
    const { copies } = this.options;
    const held = copies.all().map(([, { copy }]) => {
      const { project, name, incarnation, generation } = copy.rule;
      const { cursor, unsent } = copy;
      const at = { project, name, incarnation, generation, cursor, unsent };
      return unsent > 0 ? at : { ...at, digest: copy.root };
    });
    const { store } = copies;
    const refused = this.options.refusals?.take() ?? [];
    const body = copiesRequestSchema.parse({
      ...(store === undefined ? {} : { store }),
      held: held.slice(0, LIMITS.copiesPerSite),
      ...(refused.length === 0 ? {} : { refused }),
    });
    const answer = await this.bus
      .request(SITE.copies, body, { timeoutMs: ANSWER_MS })
      .catch((error: unknown) => {
        this.options.refusals?.putBack(refused);
        throw error;
      });
    const parsed = parseAcross(copyNewsSchema, answer.json());
    if (!parsed.ok) throw new Error('an answer that is none');
    await this.apply(parsed.value);
  }

  private async apply({ copies: wanted, gone }: CopyNews): Promise<void> {
    const { copies } = this.options;
    for (const { project, name, incarnation, ifSent } of gone) {
      const key = workloadKey(project, name);
      if (copies.get(key)?.copy.rule.incarnation !== incarnation) continue;
      this.syncs.get(key)?.stop();
      this.syncs.delete(key);
      if (ifSent !== true) await copies.forget(key);
      else if (!(await copies.giveUp(key))) this.syncOf(key)?.send();
    }
    for (const { copy: rule, head, stored, again } of wanted) {
      const key = workloadKey(rule.project, rule.name);
      const before = copies.get(key)?.copy;
      if (before !== undefined && before.rule.incarnation > rule.incarnation) continue;
      const copy = await copies.want(rule);
      if (copy !== before) this.syncs.delete(key);
      await this.syncOf(key)?.heardWhere({ head, stored, again: again === true });
    }
  }

  private syncOf(key: string): CopySync | undefined {
    const there = this.syncs.get(key);
    const kept = this.options.copies.get(key);
    if (there !== undefined || kept === undefined) return there;
    const sync = new CopySync(this.bus, kept.copy, {
      log: this.options.log,
      silent: () => this.silent,
      greet: () => this.greet(),
      // That it is whole may be what others wait for.
      whole: () => this.options.ready.isWhole(key, kept.copy.rule.incarnation) && this.greet(),
    });
    this.syncs.set(key, sync);
    return sync;
  }

  private hearNews(body: unknown): void {
    const parsed = parseAcross(copyNewsSchema, body);
    if (!parsed.ok) return this.options.log.warn('news of copies that are none');
    const { copies, gone } = parsed.value;
    if (copies.length + gone.length === 0) return this.greet();
    this.apply(parsed.value).catch((error: unknown) => {
      this.options.log.warn('news of copies were not taken', { reason: reason(error) });
      this.greet();
    });
  }

  private hearRecords(body: unknown): void {
    const parsed = parseAcross(deliverySchema, body);
    if (!parsed.ok) return this.options.log.warn('records that are none');
    const { project, name, incarnation } = parsed.value;
    const sync = this.syncs.get(workloadKey(project, name));
    if (sync?.incarnation === incarnation) sync.hear(parsed.value);
    else this.greet();
  }

  private get silent(): boolean {
    const silentMs = Math.min(this.options.silentMs(), performance.now() - this.answeredAt);
    return silentMs > SILENCE_MS;
  }

  private look(): void {
    const { silent } = this;
    if (this.wasSilent && !silent) {
      this.greet();
      for (const sync of this.syncs.values()) sync.send();
    }
    this.wasSilent = silent;
    // The next ping of others may be seconds away, and what was written meanwhile waits.
    if (silent && this.syncs.size > 0) this.probing.ask();
  }

  private async probe(): Promise<void> {
    try {
      await this.bus.request(SITE.ping, {}, { timeoutMs: PROBE_MS });
      this.answeredAt = performance.now();
      if (!this.ended.signal.aborted) this.look();
    } catch {
      // Still away.
    }
  }
}
