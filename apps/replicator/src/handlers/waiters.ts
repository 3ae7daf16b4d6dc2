/** Who waits for something new, by key. */
export class Waiters {
  private readonly waiting = new Map<string, Set<() => void>>();

  /** Resolves with the next news of a key, or when the time is over. */
  async next(key: string, waitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const all = this.waiting.get(key) ?? new Set();
      this.waiting.set(key, all);
      const done = () => {
        clearTimeout(timer);
        all.delete(done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      all.add(done);
    });
  }

  wake(key: string): void {
    const woken = this.waiting.get(key);
    this.waiting.delete(key);
    for (const done of woken ?? []) done();
  }

  /** Nobody waits any longer. */
  end(): void {
    for (const key of this.waiting.keys()) this.wake(key);
  }
}
