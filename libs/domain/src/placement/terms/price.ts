import { meanOver } from '../choice.js';
import type { ObjectiveTerm } from '../types.js';

/** What the replicas cost a month. */
export const price: ObjectiveTerm = {
  name: 'price',
  unit: 'currency/month',
  value: ({ candidates }, choice) => meanOver(candidates, choice, (c) => c.price) * choice.total,
  weight: (w) => w.perPrice,
};
