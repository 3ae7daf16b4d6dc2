import type { DemandTerm } from '../types.js';

/** What is sent to the users costs at the prices of the sites that send it. */
export const egress: DemandTerm = {
  name: 'egress',
  unit: 'currency/month',
  ofAll: ({ request }, { facts }) =>
    request.workload.spec.placement.traffic.egressGiBMonth * facts.site.prices.egressGiB,
  weight: (w) => w.perPrice,
};
