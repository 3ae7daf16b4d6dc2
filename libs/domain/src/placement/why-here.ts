import type { Candidate, Problem } from './types.js';

/** Demand below this is not what a site was chosen for. */
const WORTH_NAMING = 0.005;

/** Why a chosen site, in about five words; at most 120 characters. */
export function whyHere(
  problem: Problem,
  candidate: Candidate,
  about: { demandShare: number; onlyOne: boolean },
): string {
  const words = reasonFor(problem, candidate, about);
  return words.length > 120 ? `${words.slice(0, 119)}…` : words;
}

function reasonFor(
  problem: Problem,
  candidate: Candidate,
  about: { demandShare: number; onlyOne: boolean },
): string {
  const { placement } = problem.request.workload.spec;
  if (about.onlyOne) return onlyOneWords(problem);
  if (problem.users.count > 0 && about.demandShare >= WORTH_NAMING) {
    return `nearest to ${Math.round(about.demandShare * 100)}% of users`;
  }
  if (candidate.present > 0) return 'keeps what runs there';
  if (placement.spread) return `evens out ${placement.spread.over} ${candidate.domain}`;
  if (prefers(problem, candidate)) {
    const { data = [] } = problem.request;
    return data.some(({ at }) => at?.includes(candidate.facts.name))
      ? 'has a copy of its datasets'
      : 'has the preferred labels';
  }
  if (isCheapest(problem, candidate)) return 'cheapest with room';
  return problem.users.count > 0 ? 'spare for nearby users' : 'most room free';
}

function onlyOneWords({ request }: Problem): string {
  const { residency, sites } = request.workload.spec.placement;
  if (residency?.allow) return `only site in ${residency.allow.join(' or ')}`;
  return Object.keys(sites.required).length > 0 ? 'only site with required labels' : 'only site that fits';
}

function prefers({ candidates }: Problem, candidate: Candidate): boolean {
  return candidates.some((c) => c.lacks > candidate.lacks);
}

function isCheapest({ candidates }: Problem, candidate: Candidate): boolean {
  return (
    candidates.every((c) => c.price >= candidate.price) && candidates.some((c) => c.price > candidate.price)
  );
}
