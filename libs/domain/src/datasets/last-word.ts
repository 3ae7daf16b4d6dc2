import type { Stamp } from '@skerry/contracts';
import { compareStamps } from './clock.js';

/** A write of a whole value; without `value` a deletion. */
export interface Word {
  at: Stamp;
  by: string;
  value?: string | undefined;
}

/** Whether `a` is before `b`: by moment, then by the name of the store. The same at every site. */
export function isOlder(a: Word, b: Word): boolean {
  const order = compareStamps(a.at, b.at);
  if (order !== 0) return order < 0;
  if (a.by !== b.by) return a.by < b.by;
  // One store writes no two values at one moment; should one all the same, every site decides alike.
  if (a.value === undefined) return b.value !== undefined;
  return b.value !== undefined && a.value < b.value;
}
