import type { SiteTerm } from '../types.js';

/** How full the replicas' sites are with them: the fullest of their dimensions, over an even share of the replicas. */
export const balance: SiteTerm = {
  name: 'balance',
  unit: 'fraction used',
  marginal({ parts }, { taken, perReplica }, nth) {
    let fullest = 0;
    for (let d = 0; d < taken.length; d += 1) {
      fullest = Math.max(fullest, (taken[d] ?? 0) + nth * (perReplica[d] ?? 0));
    }
    return fullest / parts;
  },
  weight: (w) => w.perUse,
};
