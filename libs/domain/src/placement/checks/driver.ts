import type { Check } from '../types.js';

/** An agent of the site has the driver. */
export const driver: Check = {
  name: 'driver',
  ceiling: ({ facts, request }) =>
    facts.state?.capacity.drivers.includes(request.workload.spec.run.driver) ? Number.POSITIVE_INFINITY : 0,
  explain: ({ facts, request }) => ({
    has: facts.state?.capacity.drivers.join(', ') || 'no driver',
    needs: request.workload.spec.run.driver,
  }),
};
