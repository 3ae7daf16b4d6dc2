import type { DemandTerm } from '../types.js';

/** So much that no other term outweighs a user served from farther than asked: a thousandth of a percent is worth 10. */
const PER_UNCOVERED = 1_000_000;

/** The share of the users who are served from farther than `maxLatencyMs`. */
export const coverage: DemandTerm = {
  name: 'coverage',
  unit: 'fraction uncovered',
  ofAll({ request }) {
    const { maxLatencyMs } = request.workload.spec.placement;
    return maxLatencyMs === undefined ? 0 : (ms) => (ms > maxLatencyMs ? 1 : 0);
  },
  weight: () => PER_UNCOVERED,
};
