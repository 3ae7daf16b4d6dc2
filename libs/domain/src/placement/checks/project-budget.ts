import { replicaPrice } from '../price.js';
import { UNREAD } from './facets.js';
import type { Check } from '../types.js';

/** The project's quota leaves enough for at least one replica here; what all of them cost together is kept by the search. */
export const projectBudget: Check = {
  name: 'project-budget',
  reads: ({ projectBudgetLeft }) => (projectBudgetLeft === undefined ? UNREAD : undefined),
  prepare({ workload, projectBudgetLeft: left }) {
    if (left === undefined) return undefined;
    return ({ site }) => {
      const price = replicaPrice(site.prices, workload.spec.resources);
      return price === 0 ? Number.POSITIVE_INFINITY : Math.floor(Math.max(0, left) / price);
    };
  },
  explain({ facts, request }) {
    const { workload, projectBudgetLeft: left } = request;
    if (left === undefined) return { has: 'any price', needs: 'no quota of the budget' };
    const price = replicaPrice(facts.site.prices, workload.spec.resources);
    const short = price > left;
    return {
      has: `${price.toFixed(2)} a month for each replica`,
      needs: `at most ${Math.max(0, left).toFixed(2)} a month, what the quota of ${workload.project} leaves`,
      ...(short ? { remedy: `raise the budget of ${workload.project} by ${(price - left).toFixed(2)}` } : {}),
    };
  },
};
