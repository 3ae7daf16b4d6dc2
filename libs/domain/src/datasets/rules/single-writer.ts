import { isOlder } from '../last-word.js';
import { without, type Rule } from '../rule.js';

/** The newest write of the newest epoch counts. Who may write at all is decided before, where it is written and at the hub. */
export const singleWriter: Rule<'single-writer'> = {
  merge: (a, b) => (a.epoch < b.epoch || (a.epoch === b.epoch && isOlder(a, b)) ? b : a),
  write(_state, write, { origin, at, epoch }) {
    switch (write.verb) {
      case 'put':
        return { ok: true, state: { rule: 'single-writer', epoch, at, by: origin, value: write.value } };
      case 'delete':
        return { ok: true, state: { rule: 'single-writer', epoch, at, by: origin } };
      case 'count':
      case 'change':
        return without(`${write.verb} in a dataset with conflicts: single-writer`, 'put, delete');
    }
  },
  show: ({ value, at }) => (value === undefined ? undefined : { value, at }),
  own: (state, origin) => (state.by === origin ? state : undefined),
  stamp: ({ at }) => at,
  claims: ({ by }) => ({ seen: {}, by: { [by]: 0 } }),
};
