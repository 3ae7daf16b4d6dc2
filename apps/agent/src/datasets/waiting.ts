import { stampOf } from '@skerry/domain';
import type { HeldKey } from './kept-lines.js';

/** Since when something waits is known to so many ms: a cut of a day then takes little memory. */
const GRAIN_MS = 1_000;

/** Keys whose newest write here the hub has not got, in the order of the writes, and since when. */
export class Waiting {
  private readonly writes = new Map<string, number>();
  /** The first write of each second in which something was written. */
  private ages: { write: number; atMs: number }[] = [];

  get count(): number {
    return this.writes.size;
  }

  has(key: string): boolean {
    return this.writes.has(key);
  }

  /** Each with its write, the oldest first. */
  entries(): IterableIterator<[string, number]> {
    return this.writes.entries();
  }

  /** A key was written; `atMs` by the wall clock. */
  add(key: string, write: number, atMs: number): void {
    // At the end: they are sent in the order of the writes.
    this.writes.delete(key);
    this.writes.set(key, write);
    const last = this.ages.at(-1);
    if (last === undefined || atMs >= last.atMs + GRAIN_MS) this.ages.push({ write, atMs });
  }

  /** The hub has every write up to this one. */
  sent(upTo: number): void {
    for (const [key, write] of this.writes) {
      if (write > upTo) break;
      this.writes.delete(key);
    }
    if (this.writes.size === 0) this.ages = [];
    // The last that is not beyond what is still waiting says since when that waits.
    const next = this.ages.findIndex(({ write }) => write > upTo + 1);
    const first = next < 0 ? this.ages.length - 1 : next - 1;
    if (first > 0) this.ages.splice(0, first);
  }

  /** What was written of this key is never sent. */
  drop(key: string): void {
    this.writes.delete(key);
    if (this.writes.size === 0) this.ages = [];
  }

  /** Since when the oldest of them waits, ms since 1970, to a second. */
  get sinceMs(): number | undefined {
    return this.ages[0]?.atMs;
  }

  /** These wait and nothing else, whatever their order. Of a million no more is kept meanwhile than what is kept after. */
  countAnew(held: Iterable<[string, HeldKey]>): void {
    this.writes.clear();
    this.ages = [];
    const all: { key: string; own: number; atMs: number }[] = [];
    for (const [key, { own, state }] of held) all.push({ key, own, atMs: stampOf(state)?.[0] ?? Date.now() });
    for (const { key, own, atMs } of all.toSorted((a, b) => a.own - b.own)) this.add(key, own, atMs);
  }
}
