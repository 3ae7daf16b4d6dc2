import type { Copy as CopyRule, Stamp } from '@skerry/contracts';
import { laterStamp, stampOf } from '@skerry/domain';
import type { CopyHome } from './copy-home.js';
import type { CopyKeys } from './copy-keys.js';
import type { Elsewhere } from './elsewhere.js';
import { marksIn, type Line, type Marks } from './kept-lines.js';

/** What the lines of a copy's file have said so far, but for its keys. */
export interface Restored {
  rule: CopyRule;
  marks: Marks;
  clock: Stamp;
}

/** Takes a line of a copy's file into its parts, in the order of the file; what is so after it. */
export function restored(
  line: Line,
  { keys, elsewhere, home }: { keys: CopyKeys; elsewhere: Elsewhere; home: CopyHome },
  before: Restored,
): Restored {
  if (!Array.isArray(line)) return before;
  if (line[0] === 'm') return { ...before, marks: marksIn(line) };
  if (line[0] === 'a' || line[0] === 'h') return { ...before, rule: home.restore(line, before.rule) };
  if (line[0] === 'e') {
    elsewhere.take([{ area: line[1], key: line[2], state: line[3] }]);
    return before;
  }
  const [, key, own, state] = line;
  keys.set(key, { state, own });
  home.holds(key, state);
  const { rule, marks, clock } = before;
  return {
    rule,
    marks: own > marks.writes ? { ...marks, writes: own } : marks,
    clock: laterStamp(clock, stampOf(state) ?? clock),
  };
}
