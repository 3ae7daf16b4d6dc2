import type { SiteTerm } from '../types.js';

/** What the replicas cost a month. */
export const price: SiteTerm = {
  name: 'price',
  unit: 'currency/month',
  marginal: (_problem, candidate) => candidate.price,
  weight: (w) => w.perPrice,
};
