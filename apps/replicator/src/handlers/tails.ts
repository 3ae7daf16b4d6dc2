/** Where something is, is said again so long after it changed: who missed the last news learns of it. */
const AFTER_MS = [1_000, 4_000, 15_000] as const;

/** What is said again when nothing new came after it, by key. */
export class Tails {
  private readonly timers = new Map<string, NodeJS.Timeout[]>();

  /** Says this again a few times, in place of what was to be said again of the key. */
  follow(key: string, say: () => void): void {
    for (const timer of this.timers.get(key) ?? []) clearTimeout(timer);
    this.timers.set(
      key,
      AFTER_MS.map((ms) => setTimeout(say, ms).unref()),
    );
  }

  end(): void {
    for (const timers of this.timers.values()) for (const timer of timers) clearTimeout(timer);
    this.timers.clear();
  }
}
