import { WHOLE_GPU } from './node-room.js';
import type { TaskClass } from './task-classes.js';

/** Shares that are offered to one GPU before it stays as it is: enough that a hole which some class fits gets used. */
const OFFERS = 20;

/**
 * By free thousandths of one GPU (0 to 1000) how many of them are expected to be used by shares, when so many drawn from the
 * classes are offered to it one after the other and each may be taken or left for a better one: a finite-horizon dynamic
 * program, V_n(r) = Σ p_m max(V_{n-1}(r), m + V_{n-1}(r − m)).
 */
export function holeUse(classes: readonly TaskClass[]): Float64Array {
  const shares = new Map<number, number>();
  let all = 0;
  for (const { need, count } of classes) {
    const milli = need.gpu?.shareMilli;
    if (milli === undefined) continue;
    shares.set(milli, (shares.get(milli) ?? 0) + count);
    all += count;
  }
  const odds = [...shares].map(([milli, count]) => ({ milli, part: count / all }));
  let use = new Float64Array(WHOLE_GPU + 1);
  for (let offer = 0; offer < OFFERS; offer += 1) use = afterOneMore(use, odds);
  return use;
}

function afterOneMore(
  use: Float64Array,
  odds: readonly { milli: number; part: number }[],
): Float64Array<ArrayBuffer> {
  return Float64Array.from(use, (left, free) => {
    let expected = left;
    for (const { milli, part } of odds) {
      if (milli > free) continue;
      expected += part * Math.max(0, milli + (use[free - milli] ?? 0) - left);
    }
    return expected;
  });
}
