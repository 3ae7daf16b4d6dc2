import { evaluate, objectiveOf } from './evaluate.js';
import { problemAmong } from './problem.js';
import type { Sifted } from './sift.js';
import { stability } from './terms/stability.js';
import type { Choice, Problem } from './types.js';

/** Replicas by site; none that has 0. */
export type Counts = ReadonlyMap<string, number>;

/** Some of the way from where a workload is to where it would be placed now. */
export interface Step {
  readonly counts: Counts;
  /** Replicas that start at another site for it; of a workload that shrinks, those that end if they are more. */
  readonly moved: number;
  /** By how much its objective falls, with what moving costs in it. */
  readonly gain: number;
}

/** A way is divided into about so many steps. */
const STEPS_MAX = 12;
/** Evaluations of the objective for one way; when they are used up, sites are taken in order of name. */
const EVALUATIONS_MAX = 600;

/** Replicas that start somewhere between two states, or that end if they are more. */
export function movedBetween(before: Counts, after: Counts): number {
  return Math.max(startedBetween(before, after), startedBetween(after, before));
}

function startedBetween(before: Counts, after: Counts): number {
  let started = 0;
  for (const [site, replicas] of after) started += Math.max(0, replicas - (before.get(site) ?? 0));
  return started;
}

/** The problem among the sites of some counts alone. */
export function problemAt(sifted: Sifted, ...all: readonly Counts[]): Problem {
  const ordinals = new Set(
    all.flatMap((counts) => [...counts.keys()].map((s) => sifted.index.ordinal(s) ?? -1)),
  );
  ordinals.delete(-1);
  return problemAmong(
    sifted,
    [...ordinals].toSorted((a, b) => a - b),
  );
}

/** Counts as a choice among a problem's candidates. */
export function choiceOf({ candidates }: Problem, counts: Counts): Choice {
  const chosen = Int32Array.from(candidates, (c) => counts.get(c.facts.name) ?? 0);
  return choiceFrom(chosen);
}

/** What the moves of a choice cost by themselves, in currency units a month. */
export function movingCost(problem: Problem, { counts, open }: Choice): number {
  let value = stability.withoutAny?.(problem) ?? 0;
  for (const i of open) {
    const candidate = problem.candidates[i];
    if (!candidate) continue;
    for (let nth = 1; nth <= (counts[i] ?? 0); nth += 1) value += stability.marginal(problem, candidate, nth);
  }
  return value * stability.weight(problem.weights);
}

/**
 * The way from some counts to others in steps, each of the move that is best then: where replicas are added best, and where
 * they are then missed least. `start`: where the workload was before anything moved, which moves are counted from.
 */
export function stepsTo(
  problem: Problem,
  { start, from, target }: { start: Counts; from: Counts; target: Counts },
): Step[] {
  const way = new Way(problem, from, target);
  const before = movedBetween(start, from);
  const steps: Step[] = [];
  for (let choice = way.next(); choice; choice = way.next()) {
    const counts = countsOf(problem, choice);
    steps.push({
      counts,
      moved: movedBetween(start, counts) - before,
      gain: way.objective - objectiveOf(problem, choice),
    });
  }
  return steps;
}

/** The step with the best gain for a move, of those within `movesLeft` that gain more than `least`; the shortest of equals. */
export function bestStep(steps: readonly Step[], movesLeft: number, least: number): Step | undefined {
  let best: Step | undefined;
  for (const step of steps) {
    if (step.moved > movesLeft || step.gain <= least) continue;
    if (best === undefined || gainPerMove(step) > gainPerMove(best) + 1e-12) best = step;
  }
  return best;
}

/** A change that moves nothing (a workload that only gets smaller in one place of several) counts as one move. */
export function gainPerMove({ gain, moved }: Pick<Step, 'gain' | 'moved'>): number {
  return gain / Math.max(1, moved);
}

class Way {
  /** Before the first step. */
  readonly objective: number;
  readonly #counts: Int32Array;
  /** By candidate: replicas to come (above 0) or to go. */
  readonly #left: Int32Array;
  readonly #portion: number;
  #evaluations = 0;

  constructor(
    private readonly problem: Problem,
    from: Counts,
    target: Counts,
  ) {
    this.#counts = choiceOf(problem, from).counts;
    this.objective = objectiveOf(problem, choiceFrom(this.#counts));
    const wanted = choiceOf(problem, target).counts;
    this.#left = wanted.map((n, i) => n - (this.#counts[i] ?? 0));
    this.#portion = Math.max(1, Math.ceil(movedBetween(from, target) / STEPS_MAX));
  }

  /** The choice one step further; undefined at the end. As many go as come, as long as any are to go. */
  next(): Choice | undefined {
    const to = this.#best(1);
    const coming = to === undefined ? this.#portion : Math.min(this.#portion, this.#left[to] ?? 0);
    if (to !== undefined) this.#move(to, coming);
    let going = 0;
    for (let from = this.#best(-1); from !== undefined && going < coming; from = this.#best(-1)) {
      const amount = Math.min(coming - going, -(this.#left[from] ?? 0));
      this.#move(from, -amount);
      going += amount;
    }
    return to === undefined && going === 0 ? undefined : choiceFrom(this.#counts.slice());
  }

  /** The candidate where a portion more (or less, with `sign` -1) is best. */
  #best(sign: 1 | -1): number | undefined {
    let best: number | undefined;
    let least = Number.POSITIVE_INFINITY;
    const waiting = [...this.#left.keys()].filter((i) => (this.#left[i] ?? 0) * sign > 0);
    if (waiting.length <= 1) return waiting[0];
    for (const i of waiting) {
      if (this.#evaluations >= EVALUATIONS_MAX) return best ?? i;
      this.#evaluations += 1;
      const amount = sign * Math.min(this.#portion, Math.abs(this.#left[i] ?? 0));
      const counts = this.#counts.slice();
      counts[i] = (counts[i] ?? 0) + amount;
      const objective = evaluate(this.problem, choiceFrom(counts)).objective;
      if (objective < least) [best, least] = [i, objective];
    }
    return best;
  }

  #move(at: number, amount: number): void {
    this.#counts[at] = (this.#counts[at] ?? 0) + amount;
    this.#left[at] = (this.#left[at] ?? 0) - amount;
  }
}

function choiceFrom(counts: Int32Array): Choice {
  const open = [...counts.keys()].filter((i) => (counts[i] ?? 0) > 0);
  return { counts, open, total: counts.reduce((sum, n) => sum + n, 0) };
}

function countsOf({ candidates }: Problem, { counts, open }: Choice): Counts {
  return new Map(open.map((i) => [candidates[i]?.facts.name ?? '', counts[i] ?? 0]));
}
