/**
 * Whether what was read of a stream up to a place is not what lies there now: the stream has lost its newest since, and has gone on
 * with other records at the same places. `epochs`: where each epoch of the stream begins, the newest first; a new one begins with
 * each writer and after each break of its connection. What was read in one epoch ends before the next begins.
 */
export function isOfAnother(
  epochs: readonly number[],
  { streamEpoch, cursor }: { streamEpoch?: number | undefined; cursor: number },
): boolean {
  if (streamEpoch === undefined || cursor === 0) return false;
  const at = epochs.indexOf(streamEpoch);
  const next = epochs[at - 1] ?? Infinity;
  return at < 0 || cursor >= next;
}
