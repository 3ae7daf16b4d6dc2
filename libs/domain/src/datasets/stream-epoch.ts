/** An epoch of a stream: a new one begins with each writer and after each break of its connection. */
export interface StreamEpoch {
  /** Where it begins. After a loss the next one may begin there again. */
  sequence: number;
  /** What sites know it by: no two have the same. Of one from before epochs had marks, its sequence. */
  mark: number;
}

/**
 * Whether what was read of a stream up to a place is not what lies there now: the stream has lost its newest since, and has gone on
 * with other records at the same places. `epochs`: all of the stream, the newest first. What was read in one epoch, whose mark is
 * `streamEpoch`, ends before the next begins.
 */
export function isOfAnother(
  epochs: readonly StreamEpoch[],
  { streamEpoch, cursor }: { streamEpoch?: number | undefined; cursor: number },
): boolean {
  if (streamEpoch === undefined || cursor === 0) return false;
  const at = epochs.findIndex(({ mark }) => mark === streamEpoch);
  const next = epochs[at - 1]?.sequence ?? Infinity;
  return at < 0 || cursor >= next;
}
