import type { Candidate, DemandTerm, Problem, SiteTerm } from '../types.js';
import { balance } from './balance.js';
import { concentration } from './concentration.js';
import { coverage } from './coverage.js';
import { egress } from './egress.js';
import { latency } from './latency.js';
import { preference } from './preference.js';
import { price } from './price.js';
import { stability } from './stability.js';

/** Terms that add up over users. */
export const DEMAND_TERMS: readonly DemandTerm[] = [latency, coverage, egress];
/** Terms that add up over sites. */
export const SITE_TERMS: readonly SiteTerm[] = [price, preference, balance, concentration, stability];
/** Every term of the objective. */
export const TERMS = [...DEMAND_TERMS, ...SITE_TERMS];

/** What the `nth` replica at a candidate (from 1) costs beside the users' way to it, in currency units a month. */
export function marginalCost(problem: Problem, candidate: Candidate, nth: number): number {
  let cost = 0;
  for (const term of SITE_TERMS) {
    cost += term.marginal(problem, candidate, nth) * term.weight(problem.weights);
  }
  return cost;
}

/** What the objective is before any replica and any user, in currency units a month. */
export function baseCost(problem: Problem): number {
  let cost = 0;
  for (const term of SITE_TERMS) {
    cost += (term.withoutAny?.(problem) ?? 0) * term.weight(problem.weights);
  }
  return cost;
}

/** What serving all users from a candidate would cost if all were at the same location, by location. */
export function pairCosts(problem: Problem, candidate: Candidate): Float64Array {
  const costs = problem.users.row(candidate.ordinal).ms.slice();
  toPairCosts(problem, candidate, costs);
  return costs;
}

/** Terms that go by the round trip, and their weights: of one candidate at a time. */
const byWay: { weight: number; of: (ms: number) => number }[] = DEMAND_TERMS.map(() => ({
  weight: 0,
  of: () => 0,
}));

/** Puts in place of each round trip what serving all users over it would cost, in currency units a month. */
export function toPairCosts(problem: Problem, candidate: Candidate, ms: Float64Array): void {
  let same = 0;
  let ways = 0;
  for (const term of DEMAND_TERMS) {
    const weight = term.weight(problem.weights);
    const of = term.ofAll(problem, candidate);
    const way = byWay[ways];
    if (typeof of === 'number') same += weight * of;
    else if (way) {
      way.weight = weight;
      way.of = of;
      ways += 1;
    }
  }
  const [first] = byWay;
  if (ways === 0 || !first) {
    ms.fill(same);
    return;
  }
  const { weight, of } = first;
  for (let p = 0; p < ms.length; p += 1) {
    const way = ms[p] ?? 0;
    let cost = same + weight * of(way);
    for (let n = 1; n < ways; n += 1) cost += (byWay[n]?.weight ?? 0) * (byWay[n]?.of(way) ?? 0);
    ms[p] = cost;
  }
}
