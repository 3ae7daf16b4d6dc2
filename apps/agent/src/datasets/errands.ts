import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log.js';

const RETRY_MS = 250;
const RETRY_MAX_MS = 2_000;
/** What the hub refuses for good is offered again this often: its rules, or a clock, may change. */
export const REFUSED_MS = 30_000;

/** How a step ended: it went; it did not, and is tried again after the same pause or after a longer one; nothing is left to do. */
export type Step = 'went' | 'again' | 'later' | 'over';

/** Why the hub does not take something. */
export interface NotTaken {
  reason: string;
  retryAfterMs: number;
}

/** What one dataset has on its way between this node and the hub: step by step, and again what failed. */
export class Errands {
  private readonly end = new AbortController();

  /** `silent`: whether the hub has not been heard for a while. Then nothing is tried; when it is heard again, who looks for it begins anew. */
  constructor(private readonly silent: () => boolean) {}

  stop(): void {
    this.end.abort();
  }

  get ended(): boolean {
    return this.end.signal.aborted;
  }

  /**
   * Does one step after the other while there is more. The pause begins at 250 ms and doubles with each that does not go, up to
   * 2 s; one that throws is tried again after `pauseAfter`.
   */
  async each(
    more: () => boolean,
    step: (pauseMs: number) => Promise<Step>,
    pauseAfter: (error: unknown, pauseMs: number) => number,
  ): Promise<void> {
    for (let pause = RETRY_MS; !this.ended && !this.silent() && more();) {
      const went = await step(pause).catch(async (error: unknown): Promise<Step> => {
        if (this.ended) return 'over';
        await this.rest(pauseAfter(error, pause));
        return 'later';
      });
      if (went === 'over') return;
      if (went === 'went') pause = RETRY_MS;
      if (went === 'later') pause = Math.min(pause * 2, RETRY_MAX_MS);
    }
  }

  /** Waits, or until it ends. */
  async rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.end.signal }).catch(() => undefined);
  }
}

/** How long to wait for a hub that cannot take it now. Greets it before long: the rule may be another by now. */
export function pauseForNow({ retryAfterMs }: NotTaken, pauseMs: number, greet: () => void): number {
  if (pauseMs >= RETRY_MAX_MS) greet();
  return Math.max(retryAfterMs, pauseMs);
}

/** How long to wait after the hub has refused it for good, which people have to know. */
export function pauseForGood(
  what: 'records' | 'entries',
  { project, name, reason: why }: { project: string; name: string; reason: string },
  { greet, log }: { greet: () => void; log: Log },
): number {
  log.error(`the hub refuses ${what}`, { alarm: `${what}-refused`, project, name, reason: why });
  greet();
  return REFUSED_MS;
}
