import type { Bus } from '@skerry/bus';
import { SITE } from '@skerry/contracts';
import { Repeated } from './repeated.js';

/** How often is looked whether the hub is heard again, and after how much silence it counts: it is pinged every 5 s. */
const LOOK_MS = 500;
const SILENCE_MS = 7_000;
/** How long a hub that was silent has to answer who asks whether it is back. */
const PROBE_MS = 1_000;

export interface HubHearingOptions {
  /** ms since the hub was heard. */
  silentMs: () => number;
  /** The hub is silent from now on, or is heard again. */
  turned: (silent: boolean) => void;
  /** Whether something waits for a silent hub: then it is asked whether it is back. Default: never. */
  waits?: () => boolean;
}

/** Whether the hub is heard, and when that changes. */
export class HubHearing {
  private timer: NodeJS.Timeout | undefined;
  private wasSilent = false;
  /** The hub answered here, by the monotonic clock. */
  private answeredAt = Number.NEGATIVE_INFINITY;
  private readonly probing = new Repeated(async () => await this.probe());

  constructor(
    private readonly bus: Bus,
    private readonly options: HubHearingOptions,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Who is told so once is told when it is heard again, however soon that is. */
  get silent(): boolean {
    const silentMs = Math.min(this.options.silentMs(), performance.now() - this.answeredAt);
    const silent = silentMs > SILENCE_MS;
    if (silent) this.turn(true);
    return silent;
  }

  private turn(silent: boolean): void {
    if (silent === this.wasSilent) return;
    this.wasSilent = silent;
    this.options.turned(silent);
  }

  private look(): void {
    const { silent } = this;
    this.turn(silent);
    // The next ping of others may be seconds away, and what was written meanwhile waits.
    if (silent && this.options.waits?.() === true) this.probing.ask();
  }

  private async probe(): Promise<void> {
    try {
      await this.bus.request(SITE.ping, {}, { timeoutMs: PROBE_MS });
      this.answeredAt = performance.now();
      if (this.timer !== undefined) this.look();
    } catch {
      // Still away.
    }
  }
}
