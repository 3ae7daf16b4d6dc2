import { hasSeen, joinSeen } from '../seen.js';
import { without, type Rule, type StateOf } from '../rule.js';

type State = StateOf<'set'>;
type Dots = State['members'][string];

/**
 * Add and remove converge, and an addition that a removal did not know of stays (an optimised observed-remove set, Bieniusa et
 * al., 2012): a removal takes away the additions that it has seen, and what was seen and is not there was removed.
 */
export const set: Rule<'set'> = {
  merge(a, b) {
    const members: State['members'] = {};
    for (const element of new Set([...Object.keys(a.members), ...Object.keys(b.members)])) {
      const dots = mergedDots(element, a, b);
      if (dots.length > 0) members[element] = dots;
    }
    return { rule: 'set', seen: joinSeen(a.seen, b.seen), members };
  },
  write(state, write, { origin, write: number }) {
    if (write.verb !== 'change')
      return without(
        `${write.verb} in a dataset with conflicts: set`,
        'change, with elements to add or remove',
      );
    const members = { ...state?.members };
    for (const element of write.remove) delete members[element];
    for (const element of write.add) members[element] = [[origin, number]];
    const seen = joinSeen(state?.seen ?? {}, { [origin]: number });
    return { ok: true, state: { rule: 'set', seen, members } };
  },
  show({ members }) {
    const elements = Object.keys(members).toSorted();
    return elements.length === 0 ? undefined : { elements };
  },
  own: (state, origin) => (origin in state.seen ? state : undefined),
  stamp: () => undefined,
  claims({ seen, members }) {
    const by: Record<string, number> = {};
    for (const [origin, write] of Object.values(members).flat())
      by[origin] = Math.max(by[origin] ?? 0, write);
    return { seen, by };
  },
};

/** Additions that both have, and those of either that the other has not seen. */
function mergedDots(element: string, a: State, b: State): Dots {
  const [mine, theirs] = [dotsOf(a, element), dotsOf(b, element)];
  const kept = mine.filter(
    ([origin, write]) => isIn(theirs, origin, write) || !hasSeen(b.seen, origin, write),
  );
  const more = theirs.filter(
    ([origin, write]) => !isIn(mine, origin, write) && !hasSeen(a.seen, origin, write),
  );
  return [...kept, ...more].toSorted((x, y) => (x[0] < y[0] ? -1 : x[0] > y[0] ? 1 : x[1] - y[1]));
}

function dotsOf(state: State, element: string): Dots {
  return Object.hasOwn(state.members, element) ? (state.members[element] ?? []) : [];
}

function isIn(dots: Dots, origin: string, write: number): boolean {
  return dots.some(([o, w]) => o === origin && w === write);
}
