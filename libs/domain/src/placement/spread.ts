import type { Candidate, Choice, Problem } from './types.js';

/**
 * How replicas lie over the groups of a spread. Groups are those of all candidates, so that a group without room holds
 * the others back: no two may differ by more than `maxSkew`.
 */
export class Spread {
  readonly #groups: Map<string, number>;
  readonly #maxSkew: number;
  /** The two least counts: without one group, the least of the others is one of them. */
  readonly #least: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];

  constructor(problem: Problem, choice: Choice, maxSkew: number) {
    this.#maxSkew = maxSkew;
    this.#groups = countByGroup(problem.candidates, choice);
    for (const n of this.#groups.values()) {
      if (n < this.#least[0]) this.#least = [n, this.#least[0]];
      else if (n < this.#least[1]) this.#least[1] = n;
    }
  }

  /** How many replicas more the group may take. */
  allowance(group: string): number {
    const own = this.#groups.get(group) ?? 0;
    const [least, second] = this.#least;
    return (own === least ? second : least) + this.#maxSkew - own;
  }

  get holds(): boolean {
    return this.#within((n) => n);
  }

  /** Whether it still holds when `replicas` move from one group to another. */
  holdsAfter(from: string, to: string, replicas: number): boolean {
    if (from === to) return this.holds;
    return this.#within((n, group) => (group === from ? n - replicas : group === to ? n + replicas : n));
  }

  #within(after: (n: number, group: string) => number): boolean {
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (const [group, n] of this.#groups) {
      const count = after(n, group);
      least = Math.min(least, count);
      most = Math.max(most, count);
    }
    return most === 0 || most - least <= this.#maxSkew;
  }
}

/** The spread of a choice; undefined when none is asked for. */
export function spreadOf(problem: Problem, choice: Choice): Spread | undefined {
  const { spread } = problem.request.workload.spec.placement;
  return spread && new Spread(problem, choice, spread.maxSkew ?? 1);
}

function countByGroup(candidates: readonly Candidate[], { counts }: Choice): Map<string, number> {
  const groups = new Map<string, number>();
  for (const [i, { domain }] of candidates.entries()) {
    groups.set(domain, (groups.get(domain) ?? 0) + (counts[i] ?? 0));
  }
  return groups;
}
