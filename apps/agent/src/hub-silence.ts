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

  /** The hub answered. */
  heard(): void {
    this.heardAt = performance.now();
    this.onChange(false);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
