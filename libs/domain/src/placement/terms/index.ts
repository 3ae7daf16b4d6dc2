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

/** What serving all users from a candidate over a round trip of `ms` would cost, in currency units a month. */
export function demandCost(problem: Problem, candidate: Candidate, ms: number): number {
  let cost = 0;
  for (const term of DEMAND_TERMS) {
    cost += term.ofAll(problem, candidate, ms) * term.weight(problem.weights);
  }
  return cost;
}

/** `demandCost` by user location. */
export function pairCosts(problem: Problem, candidate: Candidate): Float64Array {
  return problem.users.row(candidate.ordinal).ms.map((ms) => demandCost(problem, candidate, ms));
}
