/** Moves kept of one round, the most promising first. */
const PROMISING_MAX = 96;

/** Replicas from one candidate to another; -1 for from nowhere or to nowhere. */
export interface Move {
  readonly from: number;
  readonly to: number;
  readonly replicas: number;
  /** No less than this is the change of the objective. */
  readonly bound: number;
}

/** The most promising moves, bounded. */
export class Promising {
  #moves: Move[] = [];
  #highest: number;

  constructor(most: number) {
    this.#highest = most;
  }

  offer(from: number, to: number, replicas: number, bound: number): void {
    if (bound >= this.#highest) return;
    this.#moves.push({ from, to, replicas, bound });
    if (this.#moves.length < 2 * PROMISING_MAX) return;
    this.#moves = this.sorted();
    this.#highest = this.#moves.at(-1)?.bound ?? this.#highest;
  }

  /** What is not below this is not kept. */
  get highest(): number {
    return this.#highest;
  }

  sorted(): Move[] {
    return this.#moves
      .toSorted((a, b) => a.bound - b.bound || a.from - b.from || a.to - b.to || a.replicas - b.replicas)
      .slice(0, PROMISING_MAX);
  }
}
