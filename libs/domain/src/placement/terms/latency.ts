import type { DemandTerm } from '../types.js';

/** The mean user's round trip to the replica that serves them. */
export const latency: DemandTerm = {
  name: 'latency',
  unit: 'ms',
  ofAll: () => (ms) => ms,
  weight: (w) => w.perLatencyMs,
};
