import type { ObjectiveTerm } from '../types.js';

/** The mean user's round trip to the replica that serves them. */
export const latency: ObjectiveTerm = {
  name: 'latency',
  unit: 'ms',
  value: ({ demand }, choice) => demand.meanMs(choice),
  weight: (w) => w.perLatencyMs,
};
