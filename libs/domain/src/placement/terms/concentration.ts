import type { SiteTerm } from '../types.js';

/** The share of the replicas at the mean replica's own site: what the loss of one site takes. The sum is n² of each site. */
export const concentration: SiteTerm = {
  name: 'concentration',
  unit: 'fraction together',
  marginal: ({ parts }, _candidate, nth) => (2 * nth - 1) / (parts * parts),
  weight: (w) => w.perConcentration,
};
