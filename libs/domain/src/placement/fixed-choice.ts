import { emptyChoice, withMore } from './choice.js';
import type { Chosen } from './choose.js';
import { evaluate } from './evaluate.js';
import { budgetOf } from './budget-of.js';
import { SetRules } from './search/set-rules.js';
import type { Sifted } from './sift.js';
import type { Candidate, Problem, SiteFacts } from './types.js';

/** What is chosen without a search: its problem, with `wanted` as the choice makes it. */
export interface Fixed {
  readonly problem: Problem;
  readonly chosen: Chosen;
}

/** Checks that a matching site fails for now; a daemon is still wanted there. */
const FOR_NOW: readonly string[] = ['capacity', 'refused'];

/**
 * A daemon runs at every site that passes, one replica, or one for each node that has room. Sites that match and have no
 * room count as wanted. Its budget pays for sites where it runs already first, then by name.
 */
export function everyMatching(problem: Problem, sifted: Sifted): Fixed {
  const { request } = problem;
  const budget = budgetOf(request) + 1e-9;
  let spent = 0;
  let wanted = 0;
  let choice = emptyChoice(problem.candidates.length);
  let unpaid = false;
  const order = [...problem.candidates.entries()].toSorted(([, a], [, b]) => b.present - a.present);
  for (const [at, candidate] of order) {
    const { asked, fitting } = daemonsAt(candidate, sifted);
    wanted += asked;
    const paid = candidate.price > 0 ? Math.floor((budget - spent) / candidate.price) : fitting;
    const count = Math.min(fitting, Math.max(0, paid));
    unpaid ||= count < fitting;
    spent += count * candidate.price;
    if (count > 0) choice = withMore(choice, at, count);
  }
  for (const facts of withoutRoom(sifted)) wanted += replicasAsked(facts, sifted);
  // None that matches is nothing to be content with: it says which checks stand in the way.
  const made = { ...problem, wanted: Math.max(1, wanted) };
  const held = made.candidates.map((c, at) => boundAt(c, choice.counts[at] ?? 0));
  return {
    problem: made,
    chosen: chosenOf({ ...made, candidates: held }, choice, unpaid ? 'budget' : undefined),
  };
}

/** A singleton stays where it is as long as it may: a mere gain does not move it. Undefined when it has to be placed. */
export function whereItIs(problem: Problem): Fixed | undefined {
  const at = problem.candidates.findIndex((c) => c.present > 0);
  if (at < 0 || problem.wanted !== 1) return undefined;
  // Rules of the whole set may have changed so that it has to leave.
  const rules = new SetRules(problem, new Set());
  rules.change(at, 1);
  if (!rules.holds) return undefined;
  return {
    problem,
    chosen: chosenOf(problem, withMore(emptyChoice(problem.candidates.length), at, 1), undefined),
  };
}

function chosenOf(problem: Problem, choice: Chosen['choice'], heldBackBy: Chosen['heldBackBy']): Chosen {
  const evaluation = evaluate(problem, choice);
  const objective = choice.total === 0 ? 0 : evaluation.objective;
  return { choice, objective, evaluation, runnerUp: undefined, heldBackBy };
}

function boundAt(candidate: Candidate, count: number): Candidate {
  return count > 0 ? { ...candidate, ceiling: count } : candidate;
}

function daemonsAt(candidate: Candidate, sifted: Sifted): { asked: number; fitting: number } {
  const asked = replicasAsked(candidate.facts, sifted);
  const { request, snapshot } = sifted;
  const { project, name, spec } = request.workload;
  const room =
    asked === 1
      ? 1
      : snapshot.ledger.fitting(candidate.facts.name, spec.resources, asked, `${project}.${name}`);
  return { asked, fitting: Math.min(room, asked, candidate.ceiling) };
}

function replicasAsked({ state }: SiteFacts, { request }: Sifted): number {
  return request.workload.spec.daemon?.per === 'node' ? Math.max(1, state?.nodes ?? 1) : 1;
}

function withoutRoom(sifted: Sifted): SiteFacts[] {
  return sifted.index.sites.filter((_facts, at) => {
    const by = sifted.boundBy(at)?.check.name;
    return (sifted.ceiling[at] ?? 0) <= 0 && by !== undefined && FOR_NOW.includes(by);
  });
}
