import type { SiteTerm } from '../types.js';

/** The fraction of the preferred labels that the replicas' sites lack. */
export const preference: SiteTerm = {
  name: 'preference',
  unit: 'fraction lacking',
  marginal: ({ parts }, { lacks }) => lacks / parts,
  weight: (w) => w.perPreference,
};
