import type { Candidate, DemandTerm, Problem } from '../types.js';

/** What is sent to the users costs at the prices of the sites that send it. */
export const egress: DemandTerm = {
  name: 'egress',
  unit: 'currency/month',
  ofAll: egressOf,
  weight: (w) => w.perPrice,
};

/** Currency units a month if all that is sent to users were sent from a candidate. */
export function egressOf({ request, users }: Problem, { ordinal }: Candidate): number {
  return request.workload.spec.placement.traffic.egressGiBMonth * (users.index.egressPrice[ordinal] ?? 0);
}
