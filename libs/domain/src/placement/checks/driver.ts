import type { Check } from '../types.js';

/** An agent of the site has the driver. */
export const driver: Check = {
  name: 'driver',
  reads: () => ({ key: 'drivers', of: ({ state }) => state?.capacity.drivers.join(' ') ?? '' }),
  prepare({ workload }) {
    const { driver: wanted } = workload.spec.run;
    return ({ state }) => (state?.capacity.drivers.includes(wanted) ? Number.POSITIVE_INFINITY : 0);
  },
  explain: ({ facts, request }) => ({
    has: facts.state?.capacity.drivers.join(', ') || 'no driver',
    needs: request.workload.spec.run.driver,
  }),
};
