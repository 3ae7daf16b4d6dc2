import type { Check } from '../types.js';
import { labelFacet, UNREAD } from './facets.js';

/** At most one replica for each value of a label, so at most one at a site, and none at a site without the label. */
export const distinct: Check = {
  name: 'distinct',
  reads({ workload }) {
    const { distinct: over } = workload.spec.placement;
    return over === undefined ? UNREAD : labelFacet([over]);
  },
  prepare({ workload }) {
    const over = workload.spec.placement.distinct;
    if (over === undefined) return undefined;
    return ({ labels }) => (labels.has(over) ? 1 : 0);
  },
  explain({ facts, request }) {
    const over = request.workload.spec.placement.distinct;
    if (over === undefined) return { has: 'any number of replicas', needs: 'nothing' };
    const value = facts.labels.get(over);
    return {
      has: `${over}=${value ?? '(none)'}`,
      needs: `a value of ${over}, with at most one replica in each`,
      ...(value === undefined ? { remedy: `label ${facts.name} ${over}=…` } : {}),
    };
  },
};
