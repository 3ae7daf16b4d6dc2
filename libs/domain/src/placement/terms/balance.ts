import { meanOver } from '../choice.js';
import type { ObjectiveTerm } from '../types.js';

/** How full the replicas' sites are with them: the fullest of cpu, memory and disk. */
export const balance: ObjectiveTerm = {
  name: 'balance',
  unit: 'fraction used',
  value: ({ candidates }, choice) =>
    meanOver(candidates, choice, ({ taken, perReplica }, n) =>
      Math.max(taken[0] + n * perReplica[0], taken[1] + n * perReplica[1], taken[2] + n * perReplica[2]),
    ),
  weight: (w) => w.perUse,
};
