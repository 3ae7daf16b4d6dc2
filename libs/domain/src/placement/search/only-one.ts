import { marginalCost, toPairCosts } from '../terms/index.js';
import type { Problem } from '../types.js';
import type { SetRules } from './set-rules.js';

/** Objectives nearer than this are ties; the earlier name wins. */
const EPSILON = 1e-9;

/** Where the only replica is best, and where second; each -1 where none may be. */
export interface OnlyOne {
  readonly at: number;
  readonly second: number;
  /** By how much the second is worse. */
  readonly worseBy: number;
}

/** Looks at every candidate for a replica that is the only one, and serves all users: nothing is left to search then. */
export function bestForOne(problem: Problem, rules: SetRules): OnlyOne {
  const { candidates, users } = problem;
  const costs = new Float64Array(users.count);
  let [at, second] = [-1, -1];
  let [least, next] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < candidates.length; i += 1) {
    const candidate = candidates[i];
    if (!candidate || rules.room(i) < 1 || !rules.allows(-1, i, 1)) continue;
    let cost = marginalCost(problem, candidate, 1);
    users.fillMs(candidate.ordinal, costs);
    toPairCosts(problem, candidate, costs);
    for (let p = 0; p < costs.length; p += 1) cost += (users.weight[p] ?? 0) * (costs[p] ?? 0);
    if (cost < least - EPSILON) {
      [second, next] = [at, least];
      [at, least] = [i, cost];
    } else if (cost < next - EPSILON) [second, next] = [i, cost];
  }
  return { at, second, worseBy: second < 0 ? 0 : Math.max(0, next - least) };
}
