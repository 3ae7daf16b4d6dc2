/** Runs one thing after the other for each key, in the order they came; things of different keys at once. */
export class Lanes {
  private readonly lanes = new Map<string, Promise<unknown>>();

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.lanes.get(key) ?? Promise.resolve();
    const mine = before.then(task);
    const lane = mine.catch(() => undefined);
    this.lanes.set(key, lane);
    try {
      return await mine;
    } finally {
      if (this.lanes.get(key) === lane) this.lanes.delete(key);
    }
  }

  /** Resolves when all that was begun has ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.lanes.values());
  }
}
