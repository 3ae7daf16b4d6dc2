import { meanOver } from '../choice.js';
import type { ObjectiveTerm } from '../types.js';

/** The fraction of the preferred labels that the replicas' sites lack. */
export const preference: ObjectiveTerm = {
  name: 'preference',
  unit: 'fraction lacking',
  value: ({ candidates }, choice) => meanOver(candidates, choice, (c) => c.lacks),
  weight: (w) => w.perPreference,
};
