import type { SiteTerm, Use } from '../types.js';

/** How full the replicas' sites are with them: the fullest of their dimensions, over an even share of the replicas. */
export const balance: SiteTerm = {
  name: 'balance',
  unit: 'fraction used',
  marginal: ({ parts }, { taken, perReplica }, nth) => fullest(taken, perReplica, nth) / parts,
  weight: (w) => w.perUse,
};

/** The fraction used of the fullest dimension of a site, with so many replicas beside what is taken. */
export function fullest(taken: Use, perReplica: Use, replicas: number): number {
  let most = 0;
  for (let d = 0; d < taken.length; d += 1) {
    most = Math.max(most, (taken[d] ?? 0) + replicas * (perReplica[d] ?? 0));
  }
  return most;
}
