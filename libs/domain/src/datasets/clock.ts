import type { Stamp } from '@skerry/contracts';

/**
 * A hybrid logical clock (Kulkarni et al., 2014): moments that follow the wall clock, never go back, and come after everything
 * that was seen. So a write that knew of another is newer than it, whatever the clocks of the two machines say.
 */

/** Clocks of sites are wrong by up to 2 s, to either side of the hub's; the rest is time on the way. */
export const MAX_AHEAD_MS = 5_000;
const COUNTS = 65_536;

/** Below 0 when `a` is before `b`. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a[0] - b[0] || a[1] - b[1];
}

/** The next moment after `last` at a machine whose wall clock says `nowMs`. */
export function nextStamp(last: Stamp, nowMs: number): Stamp {
  if (nowMs > last[0]) return [nowMs, 0];
  return last[1] + 1 < COUNTS ? [last[0], last[1] + 1] : [last[0] + 1, 0];
}

/** The later of two moments. */
export function laterStamp(a: Stamp, b: Stamp): Stamp {
  return compareStamps(a, b) < 0 ? b : a;
}

/**
 * How far a moment is ahead of this machine's wall clock beyond what is tolerated, ms; 0 for one that may be. One that is ahead
 * would win over every honest write until then: whoever takes in what others wrote refuses it.
 */
export function aheadBy(stamp: Stamp, nowMs: number): number {
  return Math.max(0, stamp[0] - nowMs - MAX_AHEAD_MS);
}
