import { CUT_OFF_MS } from '@skerry/domain';

const LOOK_MS = 500;
/** Measures by the monotonic clock for how long the hub was not heard, from the agent's start on. */
export class HubSilence {
  private heardAt = performance.now();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly onChange: (cutOff: boolean) => void,
    private readonly afterMs = CUT_OFF_MS,
  ) {}

  start(): void {
    this.timer = setInterval(() => {
      if (performance.now() - this.heardAt > this.afterMs) this.onChange(true);
    }, LOOK_MS).unref();
  }

  /** The hub answered what was sent at `at`, by the monotonic clock; default now. */
  heard(at = performance.now()): void {
    this.heardAt = Math.max(this.heardAt, at);
    if (performance.now() - this.heardAt <= this.afterMs) this.onChange(false);
  }

  /** ms since the hub was heard. */
  get silentMs(): number {
    return performance.now() - this.heardAt;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
