import { emptyChoice, meanOver, withMore, withMove } from './choice.js';
import { spreadOf, type Spread } from './spread.js';
import { objectiveOf } from './evaluate.js';
import type { Choice, Problem } from './types.js';

/** Objectives nearer than this are ties; the earlier name wins. */
const EPSILON = 1e-9;
/** Replicas beyond this many are placed in equal portions, so that the work does not grow with them. */
const STEPS_MAX = 64;
const SWAP_ROUNDS_MAX = 32;
const REGROWN_MAX = 4;
/** Work of one decision, in user locations times chosen sites (about 5 ns each); then what was found so far stands. */
const GROW_WORK_MAX = 20_000_000;
const SWAP_WORK_MAX = 3_000_000;

export interface Chosen {
  readonly choice: Choice;
  readonly objective: number;
  /** The best choice with one site exchanged for one that was not chosen. */
  readonly runnerUp: { readonly from: number; readonly to: number; readonly worseBy: number } | undefined;
  /** The set-wide rule that stopped the search short of `wanted`, when no single site's limit did. */
  readonly heldBackBy: 'spread' | 'budget' | undefined;
}

/**
 * Chooses counts by greedy addition and then swaps to a local optimum (the usual heuristic for k-median: Teitz and Bart
 * 1968; Arya et al. 2004). It begins with what is placed now, so that little moves. Deterministic; the work is bounded.
 */
export function choose(problem: Problem): Chosen {
  const search = new Search(problem);
  const kept = search.from(search.start());
  // What is placed now may stand in the way of the rest: by its price, or by the spread.
  const choice = kept.total === problem.wanted ? kept : search.fuller(kept, search.from(search.none()));
  return {
    choice,
    objective: choice.total === 0 ? 0 : objectiveOf(problem, choice),
    runnerUp: choice.total === 0 ? undefined : search.runnerUp(choice),
    heldBackBy: choice.total < problem.wanted ? search.heldBackBy(choice) : undefined,
  };
}

class Search {
  #workLeft = GROW_WORK_MAX;
  readonly #step: number;
  readonly #budget: number;
  readonly #cheapest: number;

  constructor(private readonly problem: Problem) {
    const { budgetPerMonth } = problem.request.workload.spec.placement;
    this.#step = Math.max(1, Math.ceil(problem.wanted / STEPS_MAX));
    this.#budget = (budgetPerMonth ?? Number.POSITIVE_INFINITY) + EPSILON;
    this.#cheapest = problem.candidates.reduce(
      (least, c) => Math.min(least, c.price),
      Number.POSITIVE_INFINITY,
    );
  }

  none(): Choice {
    return emptyChoice(this.problem.candidates.length);
  }

  /** A local optimum that begins with `choice`. A swap may make room, in the budget or the spread, for what was left over. */
  from(choice: Choice): Choice {
    let best = this.grow(choice);
    for (let round = 0; best.total > 0 && round < REGROWN_MAX; round += 1) {
      const swapped = this.swap(best);
      best = this.grow(swapped);
      if (best.total === swapped.total) break;
    }
    return best;
  }

  /** The choice that places more; the first when they are equal. */
  fuller(a: Choice, b: Choice): Choice {
    return b.total > a.total ? b : a;
  }

  /** What is placed now, as far as the sites may keep it; nothing when it breaks a rule of the whole set. */
  start(): Choice {
    const { candidates, wanted } = this.problem;
    let choice = emptyChoice(candidates.length);
    for (const [i, c] of candidates.entries()) {
      if (c.present > 0) choice = withMore(choice, i, Math.min(c.present, c.ceiling));
    }
    while (choice.total > wanted) choice = this.#shrunk(choice);
    const holds = (spreadOf(this.problem, choice)?.holds ?? true) && this.#cost(choice) <= this.#budget;
    return holds ? choice : this.none();
  }

  /** Adds replicas, each time where the objective is best, until all are placed or no site may take more. */
  grow(from: Choice): Choice {
    this.#workLeft = GROW_WORK_MAX;
    let choice = from;
    while (choice.total < this.problem.wanted) {
      const next = this.#grown(choice, true) ?? this.#grown(choice, false);
      if (!next) break;
      choice = next;
    }
    return choice;
  }

  /** Moves replicas between sites while that gains. */
  swap(from: Choice): Choice {
    this.#workLeft = SWAP_WORK_MAX;
    let choice = from;
    let objective = objectiveOf(this.problem, choice);
    for (let round = 0; round < SWAP_ROUNDS_MAX; round += 1) {
      const better = this.#bestMove(choice, objective);
      if (!better) break;
      ({ choice, objective } = better);
    }
    return choice;
  }

  runnerUp(choice: Choice): Chosen['runnerUp'] {
    this.#workLeft = SWAP_WORK_MAX;
    const base = objectiveOf(this.problem, choice);
    let best: Chosen['runnerUp'];
    for (const { from, to, next } of this.#moves(choice, (n) => [n])) {
      if ((choice.counts[to] ?? 0) > 0) continue;
      const worseBy = this.#evaluate(next) - base;
      if (worseBy < (best?.worseBy ?? Number.POSITIVE_INFINITY) - EPSILON) best = { from, to, worseBy };
    }
    return best && { ...best, worseBy: Math.max(0, best.worseBy) };
  }

  heldBackBy(choice: Choice): Chosen['heldBackBy'] {
    const spread = spreadOf(this.problem, choice);
    for (const [i, c] of this.problem.candidates.entries()) {
      if ((choice.counts[i] ?? 0) >= c.ceiling) continue;
      if (spread && spread.allowance(c.domain) < 1) return 'spread';
      if (this.#cost(choice) + c.price > this.#budget) return 'budget';
    }
    return undefined;
  }

  /** `lookAhead`: only where the budget still pays for the rest at the cheapest site. */
  #grown(choice: Choice, lookAhead: boolean): Choice | undefined {
    let best: Choice | undefined;
    let bestCost = Number.POSITIVE_INFINITY;
    const spread = spreadOf(this.problem, choice);
    for (const i of this.problem.candidates.keys()) {
      const amount = this.#amount(choice, i, spread, lookAhead);
      if (amount < 1) continue;
      // Out of work: the first that may take more, by name.
      if (best && this.#workLeft <= 0) break;
      const next = withMore(choice, i, amount);
      // Portions may differ in size, so they are compared by the objective of each at its own size.
      const objective = this.#evaluate(next);
      if (objective < bestCost - EPSILON || best === undefined) [best, bestCost] = [next, objective];
    }
    return best;
  }

  #amount(choice: Choice, at: number, spread: Spread | undefined, lookAhead: boolean): number {
    const candidate = this.problem.candidates[at];
    if (!candidate) return 0;
    const left = this.problem.wanted - choice.total;
    const room = candidate.ceiling - (choice.counts[at] ?? 0);
    const dearer = candidate.price - (lookAhead ? this.#cheapest : 0);
    const purse = this.#budget - this.#cost(choice) - (lookAhead ? left * this.#cheapest : 0);
    const paid = dearer > 0 ? Math.floor(purse / dearer) : purse < 0 ? 0 : left;
    const even = spread?.allowance(candidate.domain) ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#step, left, room, paid, even);
  }

  #shrunk(choice: Choice): Choice {
    const over = choice.total - this.problem.wanted;
    let best: Choice | undefined;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const i of choice.open) {
      const n = choice.counts[i] ?? 0;
      const next = withMore(choice, i, -Math.min(n, over, Math.max(this.#step, Math.ceil(over / STEPS_MAX))));
      const objective = next.total === 0 ? 0 : this.#evaluate(next);
      if (objective < bestCost - EPSILON || best === undefined) [best, bestCost] = [next, objective];
    }
    return best ?? emptyChoice(choice.counts.length);
  }

  #bestMove(choice: Choice, objective: number): { choice: Choice; objective: number } | undefined {
    let best: { choice: Choice; objective: number } | undefined;
    for (const { next } of this.#moves(choice, (n, room) => [
      Math.min(n, room),
      Math.min(this.#step, n, room),
    ])) {
      const value = this.#evaluate(next);
      if (value < (best?.objective ?? objective) - EPSILON) best = { choice: next, objective: value };
    }
    return best;
  }

  /** Moves of the amounts given (by what the one has and the other has room for) that keep the rules of the whole set. */
  *#moves(
    choice: Choice,
    amounts: (has: number, room: number) => number[],
  ): Generator<{ from: number; to: number; next: Choice }> {
    const { candidates } = this.problem;
    const spread = spreadOf(this.problem, choice);
    for (const from of choice.open) {
      const n = choice.counts[from] ?? 0;
      for (const [to, candidate] of candidates.entries()) {
        const room = candidate.ceiling - (choice.counts[to] ?? 0);
        if (to === from || room < 1) continue;
        for (const amount of new Set(amounts(n, room))) {
          if (this.#workLeft <= 0) return;
          this.#workLeft -= spread ? candidates.length : 1;
          if (amount > room) continue;
          const next = withMove(choice, from, to, amount);
          if (this.#cost(next) > this.#budget) continue;
          if (spread?.holdsAfter(candidates[from]?.domain ?? '', candidate.domain, amount) === false)
            continue;
          yield { from, to, next };
        }
      }
    }
  }

  #evaluate(choice: Choice): number {
    if (this.#workLeft <= 0) return Number.POSITIVE_INFINITY;
    this.#workLeft -=
      choice.counts.length + choice.open.length * (1 + this.problem.request.workload.demand.length);
    return objectiveOf(this.problem, choice);
  }

  #cost(choice: Choice): number {
    return meanOver(this.problem.candidates, choice, (c) => c.price) * choice.total;
  }
}
