import type { Timeline } from '@skerry/sim';

/** What is broken and how each is mended: after its time, or all at once. */
export class Mends {
  private readonly mends = new Set<() => void>();

  constructor(private readonly timeline: Timeline) {}

  /** How many things are broken. */
  get size(): number {
    return this.mends.size;
  }

  later(ms: number, mend: () => void): void {
    const { timeline } = this;
    const once = () => {
      if (!this.mends.delete(once)) return;
      cancel();
      mend();
    };
    const cancel = timeline.after(ms, timeline.world, once);
    this.mends.add(once);
  }

  all(): void {
    for (const mend of this.mends) mend();
  }
}
