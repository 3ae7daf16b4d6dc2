import { runningBudgetOf } from './budget-of.js';
import { Users } from './demand/users.js';
import { replicaRange } from './replica-range.js';
import { Sifted } from './sift.js';
import { baseCost, marginalCost, pairCosts } from './terms/index.js';
import type { Candidate, PlaceRequest, Problem, Snapshot } from './types.js';
import { DEFAULT_WEIGHTS } from './weights.js';

/** The problem that a request poses, with every site that passes every check as a candidate: nothing is pruned. */
export function problemOf(request: PlaceRequest, snapshot: Snapshot): Problem {
  const sifted = new Sifted(request, snapshot);
  return problemAmong(sifted, sifted.feasible);
}

/** The problem among some of the sites that passed, by ascending index. */
export function problemAmong(sifted: Sifted, sites: ArrayLike<number>, users?: Users): Problem {
  const { request, index } = sifted;
  const { placement } = request.workload.spec;
  const range = replicaRange(placement);
  const parts = Math.max(1, range.min);
  const candidates: Candidate[] = [];
  for (let n = 0; n < sites.length; n += 1) {
    const candidate = sifted.candidate(sites[n] ?? -1);
    if (candidate) candidates.push(candidate);
  }
  return {
    request,
    range,
    wanted: range.min,
    parts,
    carries: placement.traffic.headroom / parts,
    candidates,
    presentTotal: presentTotal(sifted),
    users: users ?? new Users(request.workload.demand, index, request.measuredMs),
    weights: request.weights ?? DEFAULT_WEIGHTS,
  };
}

/** Over all sites, whether they are searched or not: replicas that could stay where they are. */
function presentTotal(sifted: Sifted): number {
  let total = 0;
  for (const [site, replicas] of sifted.request.present) {
    total += Math.min(replicas, sifted.ceilingOf(sifted.index.ordinal(site) ?? -1));
  }
  return total;
}

/**
 * A problem in numbers alone: enough to state it as a mixed-integer program. Minimise
 * `base + Σ_i Σ_{j ≤ n_i} marginals[i][j-1] + Σ_i Σ_p demand[p]·x[p,i]·costs[i][p]` over whole n and x ≥ 0, such that
 * `Σ_i x[p,i] = 1`, `Σ_p demand[p]·x[p,i] ≤ n_i·carries`, `n_i ≤ ceilings[i]`, `min ≤ Σ n_i ≤ max`,
 * `Σ_i prices[i]·n_i ≤ budget`, and `n_i ≤ survivable` (with Σ n_i = N: N - parts/headroom) when it has to survive a loss.
 */
export interface Numbers {
  readonly sites: readonly string[];
  readonly min: number;
  readonly max: number;
  /** Costs before any replica and user. */
  readonly base: number;
  /** Never more than `max`. */
  readonly ceilings: Float64Array;
  /** By site: what its first, second, … replica costs, non-decreasing, as many as its ceiling. */
  readonly marginals: readonly Float64Array[];
  readonly prices: Float64Array;
  /** Infinity without one. */
  readonly budget: number;
  /** Shares of the users by location; they add up to 1. Empty without users. */
  readonly demand: Float64Array;
  /** By site and location: what it costs to serve all users from there as if they were at the location. */
  readonly costs: readonly Float64Array[];
  /** Share of the users that one replica carries. */
  readonly carries: number;
  /** By site: the group that a spread counts it in. */
  readonly domains: readonly string[];
}

/** States a problem in numbers. */
export function asNumbers(problem: Problem): Numbers {
  const { candidates, range, carries, users } = problem;
  const ceilings = Float64Array.from(candidates, (c) => Math.min(c.ceiling, range.max));
  return {
    sites: candidates.map((c) => c.facts.name),
    ...range,
    base: baseCost(problem),
    ceilings,
    marginals: candidates.map((c, i) =>
      Float64Array.from({ length: ceilings[i] ?? 0 }, (_, n) => marginalCost(problem, c, n + 1)),
    ),
    prices: Float64Array.from(candidates, (c) => c.price),
    budget: runningBudgetOf(problem),
    demand: users.weight,
    costs: candidates.map((c) => pairCosts(problem, c)),
    carries,
    domains: candidates.map((c) => c.domain),
  };
}
