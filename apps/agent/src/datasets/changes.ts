import { randomBytes } from 'node:crypto';

/** Changes that are remembered for who watches. */
const KEPT = 10_000;

/** Which keys changed, in order, for watchers: each says up to where it has seen, and waits for more. */
export class Changes {
  private readonly boot = randomBytes(4).toString('hex');
  private keys: string[] = [];
  /** Number of the first that is remembered. */
  private first = 0;
  private wake = new Set<() => void>();

  add(keys: readonly string[]): void {
    this.keys.push(...keys);
    const excess = this.keys.length - KEPT;
    // Now and then: a shift for each would cost more.
    if (excess > KEPT) {
      this.keys = this.keys.slice(excess);
      this.first += excess;
    }
    this.end();
  }

  /** Where a watcher is that has seen everything. */
  get now(): string {
    return `${this.boot}.${this.first + this.keys.length}`;
  }

  /** What changed after a place; `lost` when that is not known any more. */
  after(since: string): { keys: string[]; lost: boolean } {
    const [boot, number = ''] = since.split('.');
    const at = Number(number);
    const known = boot === this.boot && Number.isSafeInteger(at) && at >= this.first;
    if (!known || at > this.first + this.keys.length) return { keys: [], lost: true };
    return { keys: [...new Set(this.keys.slice(at - this.first))], lost: false };
  }

  /** Resolves with the next change, or when the time is over. */
  async next(waitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.wake.delete(done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      this.wake.add(done);
    });
  }

  /** Nobody waits any longer. */
  end(): void {
    const woken = this.wake;
    this.wake = new Set();
    for (const done of woken) done();
  }
}
