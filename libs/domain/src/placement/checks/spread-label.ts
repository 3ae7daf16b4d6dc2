import type { Check, SiteFacts } from '../types.js';
import { labelFacet, UNREAD } from './facets.js';

/** A site that does not say where it belongs cannot take part in a spread. */
export const spreadLabel: Check = {
  name: 'spread',
  reads({ workload }) {
    const { spread } = workload.spec.placement;
    return spread ? labelFacet([spread.over]) : UNREAD;
  },
  prepare({ workload }) {
    const { spread } = workload.spec.placement;
    return spread && (({ labels }) => (labels.has(spread.over) ? Number.POSITIVE_INFINITY : 0));
  },
  explain: ({ facts, request }) => {
    const { spread } = request.workload.spec.placement;
    if (spread === undefined) return { has: 'no spread asked for', needs: 'nothing' };
    const value = facts.labels.get(spread.over);
    return {
      has: `${spread.over}=${value ?? '(none)'}`,
      needs: `a value of ${spread.over}`,
      ...(value === undefined ? { remedy: `label ${facts.name} ${spread.over}=…` } : {}),
    };
  },
};

/** The group of a spread that the site belongs to. */
export function spreadDomain(facts: SiteFacts, over: string): string {
  return facts.labels.get(over) ?? '';
}
