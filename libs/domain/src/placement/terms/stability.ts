import type { SiteTerm } from '../types.js';

/** The fraction of the replicas that leave a site which could keep them. */
export const stability: SiteTerm = {
  name: 'stability',
  unit: 'fraction moved',
  marginal: ({ parts }, { present }, nth) => (nth <= present ? -1 / parts : 0),
  withoutAny: ({ parts, presentTotal }) => presentTotal / parts,
  weight: (w) => w.perMove,
};
