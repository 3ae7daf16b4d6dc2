import { without, type Rule } from '../rule.js';

/**
 * Adds up whatever the order (a PN-counter, Shapiro et al., 2011): each store says what it added and took away in all, and of
 * two words of one store the larger is the later.
 */
export const counter: Rule<'counter'> = {
  merge(a, b) {
    const counts: Record<string, [number, number]> = { ...a.counts };
    for (const [origin, [plus, minus]] of Object.entries(b.counts)) {
      const [p, m] = counts[origin] ?? [0, 0];
      counts[origin] = [Math.max(p, plus), Math.max(m, minus)];
    }
    return { rule: 'counter', counts };
  },
  write(state, write, { origin }) {
    if (write.verb !== 'count')
      return without(
        `${write.verb} in a dataset with conflicts: counter`,
        'count, by a number below 0 to take away',
      );
    const [plus, minus] = state?.counts[origin] ?? [0, 0];
    const next: [number, number] = write.by < 0 ? [plus, minus - write.by] : [plus + write.by, minus];
    if (!next.every((n) => Number.isSafeInteger(n)))
      return without(
        'more than a counter holds',
        `${Number.MAX_SAFE_INTEGER} added or taken away by one store`,
      );
    return { ok: true, state: { rule: 'counter', counts: { ...state?.counts, [origin]: next } } };
  },
  show: ({ counts }) => ({
    number: Object.values(counts).reduce((sum, [plus, minus]) => sum + plus - minus, 0),
  }),
  own({ counts }, origin) {
    const mine = counts[origin];
    return mine && { rule: 'counter', counts: { [origin]: mine } };
  },
  stamp: () => undefined,
  claims: ({ counts }) => ({
    seen: {},
    by: Object.fromEntries(Object.keys(counts).map((origin) => [origin, 0])),
  }),
};
