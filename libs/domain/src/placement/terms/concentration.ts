import { meanOver } from '../choice.js';
import type { ObjectiveTerm } from '../types.js';

/** The share of the replicas at the mean replica's own site: what the loss of one site takes. */
export const concentration: ObjectiveTerm = {
  name: 'concentration',
  unit: 'fraction together',
  value: ({ candidates }, choice) => meanOver(candidates, choice, (_, n) => n / choice.total),
  weight: (w) => w.perConcentration,
};
