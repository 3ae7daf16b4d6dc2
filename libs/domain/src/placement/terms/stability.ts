import type { ObjectiveTerm } from '../types.js';

/** The fraction of the replicas that leave a site which could keep them. */
export const stability: ObjectiveTerm = {
  name: 'stability',
  unit: 'fraction moved',
  value({ candidates, presentTotal, wanted }, { counts, open }) {
    let kept = 0;
    for (const i of open) kept += Math.min(candidates[i]?.present ?? 0, counts[i] ?? 0);
    return (presentTotal - kept) / Math.max(1, wanted);
  },
  weight: (w) => w.perMove,
};
