import { demandCost, marginalCost } from './terms/index.js';
import type { Candidate, Problem } from './types.js';

/** Candidates that the search looks at when there are more. */
export const CANDIDATES_MAX = 64;
/** Of those, how many are there for being nearest to the heaviest user locations. */
const NEAREST_MAX = 32;

/**
 * Keeps the candidates worth searching: those that hold something now, the nearest to the heaviest user locations, then
 * the best alone. A spread needs every group and is not pruned. The price is the gap to the unpruned search.
 */
export function worthSearching(problem: Problem): readonly Candidate[] {
  const { candidates, request } = problem;
  if (candidates.length <= CANDIDATES_MAX || request.workload.spec.placement.spread) return candidates;
  const kept = new Set<number>();
  for (const [i, c] of candidates.entries()) if (c.present > 0) kept.add(i);
  for (const i of nearestToUsers(problem)) kept.add(i);
  for (const i of bestAlone(problem)) {
    if (kept.size >= CANDIDATES_MAX) break;
    kept.add(i);
  }
  return candidates.filter((_, i) => kept.has(i));
}

function nearestToUsers({ request, candidates, users }: Problem): number[] {
  const heaviest = [...request.workload.demand.entries()]
    .toSorted(([a, x], [b, y]) => y.weight - x.weight || a - b)
    .slice(0, NEAREST_MAX);
  return heaviest.map(([point]) => {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const [i, c] of candidates.entries()) {
      const ms = users.row(c.ordinal).ms[point] ?? 0;
      if (ms < least) [best, least] = [i, ms];
    }
    return best;
  });
}

function bestAlone(problem: Problem): number[] {
  const { users } = problem;
  return problem.candidates
    .map((c, i) => {
      let alone = marginalCost(problem, c, 1);
      const { ms } = users.row(c.ordinal);
      for (let p = 0; p < ms.length; p += 1)
        alone += (users.weight[p] ?? 0) * demandCost(problem, c, ms[p] ?? 0);
      return { i, alone };
    })
    .toSorted((a, b) => a.alone - b.alone || a.i - b.i)
    .map(({ i }) => i);
}
