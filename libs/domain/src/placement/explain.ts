import type { SiteExplanation, Term } from '@skerry/contracts';
import { preparedChecks, resultOf } from './checks/index.js';
import { emptyChoice, withMore } from './choice.js';
import { work } from './place.js';
import { byName } from './site-facts.js';
import { termsOf } from './evaluate.js';
import type { PlaceRequest, Problem, Snapshot } from './types.js';

/**
 * Says of every site what each check found and what each term of the objective would be with all replicas there alone.
 * Best first: the chosen sites, then the feasible ones by their objective alone, then the others by failed checks.
 * `shares`: a decision already made, whose counts are shown in place of those that would be chosen now.
 */
export function explain(
  request: PlaceRequest,
  snapshot: Snapshot,
  shares?: readonly { site: string; replicas: number }[],
): SiteExplanation[] {
  const { problem, chosen } = work(request, snapshot);
  const made = shares && new Map(shares.map((s) => [s.site, s.replicas]));
  const index = new Map(problem.candidates.map((c, i) => [c.facts.name, i]));
  const prepared = preparedChecks(request, snapshot);
  const explanations = byName(snapshot.sites).map((facts): SiteExplanation => {
    const present = request.present.get(facts.name) ?? 0;
    const checks = prepared.map((check) => resultOf(check, { facts, request, snapshot, present }));
    const i = index.get(facts.name);
    return {
      site: facts.name,
      chosen: made ? (made.get(facts.name) ?? 0) : i === undefined ? 0 : (chosen.choice.counts[i] ?? 0),
      feasible: checks.every((c) => c.ok),
      checks,
      terms: i === undefined ? [] : alone(problem, i),
    };
  });
  return ranked(explanations);
}

function alone(problem: Problem, at: number): Term[] {
  return termsOf(problem, withMore(emptyChoice(problem.candidates.length), at, 1));
}

function ranked(sites: SiteExplanation[]): SiteExplanation[] {
  const cost = (s: SiteExplanation) =>
    s.terms.length === 0 ? Number.POSITIVE_INFINITY : s.terms.reduce((sum, t) => sum + t.cost, 0);
  const failed = (s: SiteExplanation) => s.checks.filter((c) => !c.ok).length;
  const sorted = sites.toSorted(
    (a, b) =>
      b.chosen - a.chosen ||
      Number(b.feasible) - Number(a.feasible) ||
      difference(cost(a), cost(b)) ||
      failed(a) - failed(b) ||
      (a.site < b.site ? -1 : 1),
  );
  let rank = 0;
  return sorted.map((s) => (s.feasible ? { ...s, rank: (rank += 1) } : s));
}

/** `a - b`, and 0 for two infinities. */
function difference(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
