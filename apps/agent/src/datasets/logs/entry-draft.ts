import type { LogRule } from '@skerry/contracts';
import type { Fold, Reached } from '@skerry/domain';
import type { Line } from './entry-lines.js';

/** Where a log is: place of its next item, own entries in all and those that the hub has, and how far it has read the hub's. */
export interface Marks {
  place: number;
  written: number;
  sent: number;
  cursor: number;
  /** Of the hub's stream, in which `cursor` was read; 0: not known. */
  streamEpoch: number;
  reached: Reached;
}

/** What a batch changes, seen by no reader before it is on the disk. */
export interface Draft extends Marks {
  rule: LogRule;
  /** Files that were last written to before this moment go. */
  expired: number;
  folds: Map<string, Fold | undefined>;
  lines: Line[];
  durable: boolean;
}

/** The line that says what of it no other line does. */
export const marksOf = ({ sent, cursor, streamEpoch }: Marks): Extract<Line, ['m', ...unknown[]]> =>
  streamEpoch === 0 ? ['m', sent, cursor] : ['m', sent, cursor, streamEpoch];
