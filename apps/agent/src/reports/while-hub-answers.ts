import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus, Subscription } from '@skerry/bus';
import { SITE } from '@skerry/contracts';
import { reason, type Log } from '../log.js';

/** While the hub is away it is asked so often whether it is back; less often when it was back for a moment only. */
const PROBE_EVERY_MS = 250;
const MAX_PAUSE_MS = 2_000;
const PROBE_MS = 1_000;
const BRIEF_MS = 2_000;

export interface WhileHubAnswersOptions {
  /** Begins to carry; what it has taken out when `ending` is aborted it lets go of at once. */
  open: (ending: AbortSignal) => Promise<Subscription>;
  log: Log;
}

/**
 * Carries from a stream of the site to the hub as long as that answers. While it is away nothing is taken out of the stream,
 * which so costs nothing however much lies there; and when it is back all goes at once, with nothing waiting for its next try.
 */
export class WhileHubAnswers implements Subscription {
  private readonly ended = new AbortController();
  private ending = new AbortController();
  private consuming: Subscription | undefined;
  private openedAt = 0;
  private pauseMs = PROBE_EVERY_MS;
  private waiting: Promise<void> | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly options: WhileHubAnswersOptions,
  ) {}

  async open(): Promise<void> {
    this.ending = new AbortController();
    this.openedAt = performance.now();
    this.consuming = await this.options.open(this.ending.signal);
  }

  async drain(): Promise<void> {
    this.ended.abort();
    this.ending.abort();
    await this.waiting;
    await this.consuming?.drain();
  }

  /** The hub does not answer. */
  away(): void {
    if (this.waiting !== undefined || this.ended.signal.aborted) return;
    this.ending.abort();
    const brief = performance.now() - this.openedAt < BRIEF_MS;
    this.pauseMs = brief ? Math.min(this.pauseMs * 2, MAX_PAUSE_MS) : PROBE_EVERY_MS;
    this.waiting = this.untilBack().finally(() => (this.waiting = undefined));
  }

  private async untilBack(): Promise<void> {
    const { signal } = this.ended;
    await this.consuming?.drain();
    while (!signal.aborted) {
      await sleep(this.pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || !(await this.answers())) continue;
      try {
        return await this.open();
      } catch (error) {
        this.options.log.debug('what is to go up is not read', { reason: reason(error) });
      }
    }
  }

  private async answers(): Promise<boolean> {
    return await this.bus.request(SITE.ping, {}, { timeoutMs: PROBE_MS }).then(
      () => true,
      () => false,
    );
  }
}
