import type { Stamp } from '@skerry/contracts';
import { laterStamp } from '../clock.js';
import { hasSeen, joinSeen } from '../seen.js';
import { without, type Rule, type Seen, type StateOf } from '../rule.js';

type State = StateOf<'keep-both'>;
type Sibling = State['siblings'][number];

/**
 * Writes that did not know of each other stay side by side until a write that has seen both takes their place (dotted version
 * vectors, Preguiça et al., 2010). What was seen is the `context` that a reader gets and a writer gives back.
 */
export const keepBoth: Rule<'keep-both'> = {
  merge(a, b) {
    const left = a.siblings.filter((s) => isThere(b, s) || !hasSeen(b.seen, s.by, s.write));
    const right = b.siblings.filter((s) => !isThere(a, s) && !hasSeen(a.seen, s.by, s.write));
    return { rule: 'keep-both', seen: joinSeen(a.seen, b.seen), siblings: ordered([...left, ...right]) };
  },
  write(state, write, { origin, write: number, at }) {
    if (write.verb !== 'put' && write.verb !== 'delete')
      return without(
        `${write.verb} in a dataset with conflicts: keep-both`,
        'put, delete, with the context that get gives',
      );
    const known = state?.seen ?? {};
    // Without a context a deletion is of what is there, and a value is put beside it.
    const context = write.context ?? (write.verb === 'delete' ? known : {});
    const kept = (state?.siblings ?? []).filter((s) => !hasSeen(context, s.by, s.write));
    const mine = write.verb === 'put' ? [{ by: origin, write: number, at, value: write.value }] : [];
    const seen = joinSeen(known, { [origin]: number });
    return { ok: true, state: { rule: 'keep-both', seen, siblings: ordered([...kept, ...mine]) } };
  },
  show({ seen, siblings }) {
    const at = newestOf(siblings);
    if (at === undefined) return undefined;
    return { values: siblings.map(({ value }) => value), context: seen, at };
  },
  own: (state, origin) => (origin in state.seen ? state : undefined),
  stamp: ({ siblings }) => newestOf(siblings),
  claims({ seen, siblings }) {
    const by: Record<string, number> = {};
    for (const s of siblings) by[s.by] = Math.max(by[s.by] ?? 0, s.write);
    return { seen, by };
  },
};

function newestOf(siblings: readonly Sibling[]): Stamp | undefined {
  return siblings.reduce<Stamp | undefined>((at, s) => (at ? laterStamp(at, s.at) : s.at), undefined);
}

function isThere(state: { siblings: readonly Sibling[]; seen: Seen }, { by, write }: Sibling): boolean {
  return state.siblings.some((s) => s.by === by && s.write === write);
}

function ordered(siblings: readonly Sibling[]): Sibling[] {
  return siblings.toSorted((a, b) => (a.by < b.by ? -1 : a.by > b.by ? 1 : a.write - b.write));
}
