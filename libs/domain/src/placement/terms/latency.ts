import type { DemandTerm } from '../types.js';

/** The mean user's round trip to the replica that serves them. */
export const latency: DemandTerm = {
  name: 'latency',
  unit: 'ms',
  ofAll: () => roundTrip,
  weight: (w) => w.perLatencyMs,
};

/** The round trip itself. One for all sites, so that whoever sums it over users knows it. */
export function roundTrip(ms: number): number {
  return ms;
}
