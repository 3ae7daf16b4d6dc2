import { Users } from './demand/users.js';
import { choiceOf, emptyChoice, withMore } from './choice.js';
import { evaluate, type Evaluation } from './evaluate.js';
import { CANDIDATES_MAX } from './prune.js';
import { clusterUsers } from './search/cluster-users.js';
import { grow } from './search/greedy.js';
import { EPSILON, Improve } from './search/improve.js';
import type { Move } from './search/promising.js';
import { bestForOne } from './search/only-one.js';
import { SetRules, type SetRule } from './search/set-rules.js';
import { Space } from './search/space.js';
import { WorkLeft } from './search/work-left.js';
import type { Choice, Problem } from './types.js';

/** User locations that the search tells apart; more are gathered into so many. */
export const USERS_SEARCHED_MAX = 192;
/** Fewer do where there are few replicas: by replica, and in all at least. */
const PLACES_PER_REPLICA = 12;
const PLACES_MIN = 64;
/** Few candidates are looked at for as many locations as this allows, candidates times locations. */
const PLACES_PAIRS = 4_500;
/** Replicas beyond this many are placed in equal portions, so that the work does not grow with them. */
const STEPS_MAX = 128;
/** Looks at one user location at one site in one search (about 2 ns each); then what was found so far stands. */
const WORK_MAX = 8_000_000;
/** Of them, kept back for the runner-up. */
const RUNNER_UP_WORK = 200_000;
/** Of all kicks together. */
const KICKS_WORK = 1_500_000;
/** A choice of more sites is not kicked: the more there are, the nearer a local optimum is to the best. */
const KICKED_SITES_MAX = 10;
/** Nor is one of more replicas: with a hundred of them no kick has ever gained, and each costs as much as the search. */
const KICKED_REPLICAS_MAX = 16;
/** Nor is a problem of more candidates times user locations, of which kicks would take milliseconds. */
const KICKED_PAIRS_MAX = 4_000;

export interface Chosen {
  readonly choice: Choice;
  /** Of the whole choice, exactly; 0 for none. */
  readonly objective: number;
  readonly evaluation: Evaluation;
  /** The best choice with one site exchanged for one that was not chosen. */
  readonly runnerUp: { readonly from: number; readonly to: number; readonly worseBy: number } | undefined;
  /** The set-wide rule that stopped the search short of `wanted`, when no single site's limit did. */
  readonly heldBackBy: SetRule | undefined;
}

/** How much of a problem the search looks at; by default as much as a decision in milliseconds can. */
export interface SearchLimits {
  /** Sites that are pruned when more pass the checks. */
  readonly candidates: number;
  /** User locations; more are gathered into so many. */
  readonly users: number;
  /** Looks at one user location at one site. */
  readonly work: number;
}

export const DEFAULT_LIMITS: SearchLimits = {
  candidates: CANDIDATES_MAX,
  users: USERS_SEARCHED_MAX,
  work: WORK_MAX,
};
/** Everything is looked at, however long it takes: what the default's decisions are measured against. */
export const UNPRUNED: SearchLimits = {
  candidates: Number.POSITIVE_INFINITY,
  users: Number.POSITIVE_INFINITY,
  work: Number.POSITIVE_INFINITY,
};

/**
 * Chooses counts by greedy addition and then by moves to a local optimum; see `grow` and `Improve`. It begins with what is
 * placed now, so that little moves. Deterministic; the work is bounded. `groups`: every value of the spread's label.
 * `gathered`: the users as `gather` gives them.
 */
export function choose(
  problem: Problem,
  groups: ReadonlySet<string>,
  gathered: Users,
  limits: SearchLimits = DEFAULT_LIMITS,
): Chosen {
  if (problem.range.min === 1 && problem.range.max === 1) return forOne(problem, groups, gathered);
  const space = new Space({ ...problem, users: gathered });
  const step = Math.max(1, Math.ceil(problem.range.max / STEPS_MAX));
  const like = new SetRules(space.problem, groups);
  const rulesOf = (counts: Int32Array, closed = -1) => {
    const rules = new SetRules(space.problem, groups, { closed, like });
    for (let at = 0; at < counts.length; at += 1) {
      const n = counts[at] ?? 0;
      if (n > 0) rules.change(at, n);
    }
    return rules;
  };
  const run = (counts: Int32Array) => solve(space, rulesOf(counts), step, new WorkLeft(limits.work));
  const none = new Int32Array(space.size);
  let best = run(startOf(space, groups));
  // What is placed now may stand in the way of the rest: by its price, or by the spread.
  if (best.rules.total < problem.wanted) {
    const anew = run(none);
    if (anew.rules.total > best.rules.total) best = anew;
  }
  if (best.rules.total >= problem.wanted) best = kicked(space, best, { rulesOf, step });
  const chosen = chosenOf(problem, best);
  space.release();
  return chosen;
}

/** The choice for a replica that is the only one. */
function forOne(problem: Problem, groups: ReadonlySet<string>, users: Users): Chosen {
  const rules = new SetRules(problem, groups);
  const { at, second, worseBy } = bestForOne({ ...problem, users }, rules);
  const none = emptyChoice(problem.candidates.length);
  const choice = at < 0 ? none : withMore(none, at, 1);
  const evaluation = evaluate(problem, choice);
  return {
    choice,
    objective: at < 0 ? 0 : evaluation.objective,
    evaluation,
    runnerUp: second < 0 ? undefined : { from: at, to: second, worseBy },
    heldBackBy: at < 0 ? heldBack(rules) : undefined,
  };
}

/**
 * Looks for a better local optimum (iterated local search; Lourenço, Martin and Stützle 2003): each time without one of the
 * sites that were chosen, until there is an optimum without it, and then with it again. While it gains, or the work is done.
 */
function kicked(
  space: Space,
  first: Solved,
  { rulesOf, step }: { rulesOf: (counts: Int32Array, closed?: number) => SetRules; step: number },
): Solved {
  const work = new WorkLeft(KICKS_WORK);
  let best = first;
  const { open } = first.improve;
  const small =
    open.length <= KICKED_SITES_MAX &&
    space.problem.range.max <= KICKED_REPLICAS_MAX &&
    space.size * space.users <= KICKED_PAIRS_MAX;
  let waiting = small ? [...open] : [];
  for (let closed = waiting.shift(); closed !== undefined && !work.spent; closed = waiting.shift()) {
    const counts = best.rules.counts.slice();
    counts[closed] = 0;
    const other = solve(space, rulesOf(counts, closed), step, work);
    const again = solve(space, rulesOf(other.rules.counts), step, work);
    const full = again.rules.total >= space.problem.wanted && again.rules.holds;
    if (!full || again.improve.objective >= best.improve.objective - EPSILON) continue;
    best = again;
    waiting = [...best.improve.open];
  }
  return best;
}

interface Solved {
  readonly rules: SetRules;
  readonly improve: Improve;
}

/** A local optimum from the counts that the rules hold. A move may make room, in the budget or the spread, for what was left over. */
function solve(space: Space, rules: SetRules, step: number, work: WorkLeft): Solved {
  for (;;) {
    grow(space, rules, step, work);
    const before = rules.total;
    const improve = new Improve(space, rules, step, work);
    improve.run();
    if (rules.total >= space.problem.wanted || rules.total === 0 || work.spent) return { rules, improve };
    grow(space, rules, 1, work);
    if (rules.total <= before) return { rules, improve };
  }
}

/** The users as the search sees them: as many locations as tell apart where so many replicas go, among so many candidates. */
export function gather(
  users: Users,
  limits: SearchLimits = DEFAULT_LIMITS,
  of?: { replicas: number; candidates: number },
): Users {
  if (users.areMeasured) return users;
  const enough =
    of === undefined || limits.users === Number.POSITIVE_INFINITY
      ? limits.users
      : Math.max(
          PLACES_MIN,
          PLACES_PER_REPLICA * of.replicas,
          Math.floor(PLACES_PAIRS / Math.max(1, of.candidates)),
        );
  const points = clusterUsers(users, Math.min(limits.users, enough));
  return points === users.points ? users : new Users(points, users.index);
}

/** What is placed now, as far as the sites may keep it; nothing when it breaks a rule of the whole set. */
function startOf(space: Space, groups: ReadonlySet<string>): Int32Array {
  const { candidates, range } = space.problem;
  const none = new Int32Array(space.size);
  if (!candidates.some((c) => c.present > 0)) return none;
  const rules = new SetRules(space.problem, groups);
  for (const [at, c] of candidates.entries()) {
    if (c.present > 0) rules.change(at, Math.min(c.present, c.ceiling));
  }
  if (rules.total > range.max) shrink(space, rules);
  return rules.holds && rules.total <= range.max ? rules.counts : none;
}

/** Takes away what is too much, each time where it is missed least. */
function shrink(space: Space, rules: SetRules): void {
  const over = rules.total - space.problem.range.max;
  const portion = Math.max(1, Math.ceil(over / STEPS_MAX));
  const improve = new Improve(space, rules, portion, new WorkLeft(WORK_MAX));
  while (rules.total > space.problem.range.max) improve.dropOne(rules.total - space.problem.range.max);
}

function chosenOf(problem: Problem, { rules, improve }: Solved): Chosen {
  const choice = choiceOf(rules.counts);
  const evaluation = evaluate(problem, choice);
  const heldBackBy = choice.total < problem.wanted ? heldBack(rules) : undefined;
  const runnerUp =
    choice.total === 0 ? undefined : runnerUpOf(improve.runnerUp(new WorkLeft(RUNNER_UP_WORK)));
  return {
    choice,
    objective: choice.total === 0 ? 0 : evaluation.objective,
    evaluation,
    runnerUp,
    heldBackBy,
  };
}

function runnerUpOf(move: Move | undefined): Chosen['runnerUp'] {
  return move && { from: move.from, to: move.to, worseBy: Math.max(0, move.bound) };
}

function heldBack(rules: SetRules): SetRule | undefined {
  for (const at of rules.counts.keys()) {
    const rule = rules.stops(at);
    if (rule) return rule;
  }
  return undefined;
}
