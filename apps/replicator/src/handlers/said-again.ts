/** What is said once is said again so long after. */
const AGAIN_MS = [1_000, 4_000, 15_000] as const;

/**
 * Says things again a little later. A plain message may be lost without anybody noticing, when the link to a site breaks for less
 * time than it takes to count as silent; and who was not told asks by itself minutes later alone.
 */
export class SaidAgain {
  private readonly timers = new Map<string, NodeJS.Timeout[]>();

  constructor(private readonly pausesMs: readonly number[] = AGAIN_MS) {}

  /** Has this done after each pause, in place of what was to be done of the same name. */
  later(name: string, act: () => void): void {
    this.heard(name);
    this.timers.set(
      name,
      this.pausesMs.map((ms, i) =>
        setTimeout(() => {
          if (i === this.pausesMs.length - 1) this.timers.delete(name);
          act();
        }, ms).unref(),
      ),
    );
  }

  /** It need not be said again. */
  heard(name: string): void {
    for (const timer of this.timers.get(name) ?? []) clearTimeout(timer);
    this.timers.delete(name);
  }

  /** Nothing is said again. */
  clear(): void {
    for (const name of this.timers.keys()) this.heard(name);
  }
}
