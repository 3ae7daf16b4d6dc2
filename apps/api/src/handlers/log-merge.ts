import type { LogGap, LogLine } from '@skerry/contracts';

/** Lines held back for one reader; the oldest go first, and the gap is told. */
const MAX_HELD = 20_000;

/** Puts lines of several replicas and sites in the order of their time, and counts what had to be dropped. */
export class LogMerge {
  private lines: LogLine[] = [];
  private gaps: LogGap[] = [];
  private begun = false;

  /** `tail`: the newest lines to begin with, over all sites. */
  constructor(private readonly tail: number) {}

  add(lines: readonly LogLine[]): void {
    this.lines.push(...lines);
    const over = this.lines.length - MAX_HELD;
    if (over <= 0) return;
    const sorted = this.lines.toSorted(byTime);
    this.lines = sorted.slice(over);
    const site = sorted[0]?.site ?? 'api';
    if (this.begun) this.gap({ site, reason: `${over} lines left out: read too slowly` });
  }

  gap(gap: LogGap): void {
    this.gaps.push(gap);
  }

  /** All lines held, in order; the first time, of those only the newest `tail`. */
  take(live: boolean): { lines: LogLine[]; gaps: LogGap[] } {
    const sorted = this.lines.toSorted(byTime);
    const gaps = this.gaps;
    if (live && sorted.length === 0 && gaps.length === 0) return { lines: [], gaps };
    const lines = this.begun ? sorted : sorted.slice(Math.max(0, sorted.length - this.tail));
    this.begun = true;
    this.lines = [];
    this.gaps = [];
    return { lines, gaps };
  }
}

function byTime(a: LogLine, b: LogLine): number {
  return a.at < b.at ? -1 : a.at > b.at ? 1 : 0;
}
