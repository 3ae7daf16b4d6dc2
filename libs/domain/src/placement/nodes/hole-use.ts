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
  const millis = Int32Array.from([...shares.keys()].toSorted((a, b) => a - b));
  const parts = Float64Array.from(millis, (milli) => (shares.get(milli) ?? 0) / all);
  let use = new Float64Array(WHOLE_GPU + 1);
  for (let offer = 0; offer < OFFERS; offer += 1) use = afterOneMore(use, millis, parts);
  return use;
}

function afterOneMore(use: Float64Array, millis: Int32Array, parts: Float64Array): Float64Array<ArrayBuffer> {
  const next = new Float64Array(use.length);
  for (let free = 0; free < use.length; free += 1) {
    const left = use[free] ?? 0;
    let expected = left;
    for (let k = 0; k < millis.length; k += 1) {
      const milli = millis[k] ?? 0;
      if (milli > free) break;
      const gain = milli + (use[free - milli] ?? 0) - left;
      if (gain > 0) expected += gain * (parts[k] ?? 0);
    }
    next[free] = expected;
  }
  return next;
}
