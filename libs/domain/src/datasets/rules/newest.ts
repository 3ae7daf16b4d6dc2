import { isOlder } from '../last-word.js';
import { without, type Rule } from '../rule.js';

/** The newest write counts; of two at the same moment, that of the store whose name comes last. */
export const newest: Rule<'newest'> = {
  merge: (a, b) => (isOlder(a, b) ? b : a),
  write(_state, write, { origin, at }) {
    switch (write.verb) {
      case 'put':
        return { ok: true, state: { rule: 'newest', at, by: origin, value: write.value } };
      case 'delete':
        return { ok: true, state: { rule: 'newest', at, by: origin } };
      case 'count':
      case 'change':
        return without(`${write.verb} in a dataset with conflicts: newest`, 'put, delete');
    }
  },
  show: ({ value, at }) => (value === undefined ? undefined : { value, at }),
  own: (state, origin) => (state.by === origin ? state : undefined),
  stamp: ({ at }) => at,
  claims: ({ by }) => ({ seen: {}, by: { [by]: 0 } }),
};
