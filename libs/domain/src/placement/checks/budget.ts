import { replicaPrice } from '../price.js';
import { UNREAD } from './facets.js';
import type { Check } from '../types.js';

/** The budget pays for at least one replica here; what all of them cost together is kept by the search. */
export const budget: Check = {
  name: 'budget',
  reads: ({ workload }) => (workload.spec.placement.budgetPerMonth === undefined ? UNREAD : undefined),
  prepare({ workload }) {
    const { resources, placement } = workload.spec;
    const { budgetPerMonth } = placement;
    if (budgetPerMonth === undefined) return undefined;
    return ({ site }) => {
      const price = replicaPrice(site.prices, resources);
      return price === 0 ? Number.POSITIVE_INFINITY : Math.floor(budgetPerMonth / price);
    };
  },
  explain({ facts, request }) {
    const { budgetPerMonth } = request.workload.spec.placement;
    if (budgetPerMonth === undefined) return { has: 'any price', needs: 'no budget' };
    const price = replicaPrice(facts.site.prices, request.workload.spec.resources);
    const short = price > budgetPerMonth;
    return {
      has: `${price.toFixed(2)} a month for each replica`,
      needs: `at most ${budgetPerMonth} a month in all`,
      ...(short ? { remedy: `budgetPerMonth: ${(Math.ceil(price * 100) / 100).toString()}` } : {}),
    };
  },
};
