import { egressOf } from './terms/egress.js';
import type { PlaceRequest, Problem } from './types.js';

/** What the workload may cost a month: by its own budget and by what its project's quota leaves it. Infinity without either. */
export function budgetOf({ workload, projectBudgetLeft }: PlaceRequest): number {
  return Math.min(
    workload.spec.placement.budgetPerMonth ?? Number.POSITIVE_INFINITY,
    Math.max(0, projectBudgetLeft ?? Number.POSITIVE_INFINITY),
  );
}

/** What replicas may cost: the budget without what sending to the users costs where it is dearest, so that the sum never passes it. */
export function runningBudgetOf(problem: Problem): number {
  const budget = budgetOf(problem.request);
  if (budget === Number.POSITIVE_INFINITY) return budget;
  return budget - problem.candidates.reduce((most, c) => Math.max(most, egressOf(problem, c)), 0);
}
