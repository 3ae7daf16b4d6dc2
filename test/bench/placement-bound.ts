import type { ExactProblem } from './placement-exact.js';

/** A lower bound, and by it the most replicas of each site that a better choice than the one known could have. */
export interface Fixing {
  readonly bound: number;
  readonly most: readonly number[];
}

const ROUNDS = 400;
/** Rounds without a better bound after which steps become half as long. */
const PATIENCE = 15;

/**
 * The Lagrangian bound of a capacitated facility location problem (Beasley 1993): that every location is served is priced
 * into the objective, and what remains falls apart into a continuous knapsack for each site. Prices are found by
 * subgradient steps. A replica whose cost at those prices lifts the bound above `upper` is in no better choice.
 */
export function fixing(problem: ExactProblem, upper: number): Fixing {
  const points = problem.weights.length;
  let prices = firstPrices(problem);
  let best: Relaxed | undefined;
  let bestPrices = prices;
  let scale = 1.5;
  let since = 0;
  for (let round = 0; round < ROUNDS && scale > 1e-3; round += 1) {
    const relaxed = relax(problem, prices);
    if (!best || relaxed.bound > best.bound + 1e-9) {
      [best, bestPrices, since] = [relaxed, prices, 0];
    } else if ((since += 1) >= PATIENCE) {
      [scale, since, prices] = [scale / 2, 0, bestPrices];
      continue;
    }
    const slack = relaxed.served.map((s) => 1 - s);
    const norm = slack.reduce((sum, s) => sum + s * s, 0);
    if (norm < 1e-12 || relaxed.bound >= upper) break;
    const step = (scale * Math.max(1e-6, upper - relaxed.bound)) / norm;
    prices = Float64Array.from({ length: points }, (_, p) => (prices[p] ?? 0) + step * (slack[p] ?? 0));
  }
  const last = relax(problem, bestPrices);
  return {
    bound: last.bound,
    most: last.increments.map((own) => own.filter((c) => last.bound + c - last.saved <= upper).length),
  };
}

interface Relaxed {
  readonly bound: number;
  /** How much of each location is served, over all sites; 1 in a solution of the problem itself. */
  readonly served: Float64Array;
  /** By site: what each further replica would add. */
  readonly increments: readonly (readonly number[])[];
  /** The most that leaving out a chosen replica saves, when another is chosen instead. */
  readonly saved: number;
}

function relax(problem: ExactProblem, prices: Float64Array): Relaxed {
  const knapsacks = problem.sites.map((_, site) => knapsack(problem, site, prices));
  const ways = knapsacks
    .flatMap(({ increments }, site) => increments.map((cost, j) => ({ cost, site, j })))
    .toSorted((a, b) => a.cost - b.cost || a.j - b.j);
  const served = new Float64Array(prices.length);
  let bound = problem.constant + prices.reduce((sum, u) => sum + u, 0);
  let taken = 0;
  let dearest = 0;
  for (const { cost, site, j } of ways) {
    if (taken >= problem.most || (taken >= problem.least && cost >= 0)) break;
    bound += cost;
    taken += 1;
    dearest = cost;
    for (const [p, part] of knapsacks[site]?.parts[j] ?? []) served[p] = (served[p] ?? 0) + part;
  }
  const saved = taken >= problem.most ? dearest : Math.max(0, dearest);
  return { bound, served, increments: knapsacks.map((k) => k.increments), saved };
}

/** What each further replica at a site adds at given prices, and which users it then serves. Never falls. */
function knapsack(problem: ExactProblem, site: number, prices: Float64Array) {
  const worth: { p: number; each: number; weight: number }[] = [];
  for (const [p, weight] of problem.weights.entries()) {
    const gain = problem.pair(site, p) - (prices[p] ?? 0);
    if (gain < 0) worth.push({ p, each: gain / weight, weight });
  }
  worth.sort((a, b) => a.each - b.each);
  const increments: number[] = [];
  const parts: [number, number][][] = [];
  let at = 0;
  let used = 0;
  for (let j = 1; j <= Math.min(problem.ceilings[site] ?? 0, problem.most); j += 1) {
    let cost = problem.marginal(site, j);
    let room = problem.replicaCapacity;
    const served: [number, number][] = [];
    for (let item = worth[at]; item !== undefined && room > 1e-12; item = worth[at]) {
      const amount = Math.min(room, item.weight - used);
      cost += amount * item.each;
      served.push([item.p, amount / item.weight]);
      room -= amount;
      used += amount;
      if (used >= item.weight - 1e-12) [at, used] = [at + 1, 0];
    }
    increments.push(cost);
    parts.push(served);
  }
  return { increments, parts };
}

/** A location's second nearest site: near what it pays in the end. */
function firstPrices(problem: ExactProblem): Float64Array {
  return Float64Array.from(problem.weights, (_, p) => {
    const costs = problem.sites.map((_, site) => problem.pair(site, p)).toSorted((a, b) => a - b);
    return costs[Math.min(3, costs.length - 1)] ?? 0;
  });
}
