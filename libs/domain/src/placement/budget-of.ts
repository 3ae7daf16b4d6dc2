import type { PlaceRequest } from './types.js';

/** What the workload may cost a month: by its own budget and by what its project's quota leaves it. Infinity without either. */
export function budgetOf({ workload, projectBudgetLeft }: PlaceRequest): number {
  return Math.min(
    workload.spec.placement.budgetPerMonth ?? Number.POSITIVE_INFINITY,
    Math.max(0, projectBudgetLeft ?? Number.POSITIVE_INFINITY),
  );
}
