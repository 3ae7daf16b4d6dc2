/** Moves kept of one round, the most promising first. */
const PROMISING_MAX = 96;
/** Moves that there is room for: the better half stays when it is full. */
const OFFERED_MAX = 2 * PROMISING_MAX;

/** Replicas from one candidate to another; -1 for from nowhere or to nowhere. */
export interface Move {
  readonly from: number;
  readonly to: number;
  readonly replicas: number;
  /** No less than this is the change of the objective. */
  readonly bound: number;
}

/**
 * The most promising moves, bounded. In columns: a decision offers thousands and looks at a few, and objects of all of them
 * would be most of its garbage.
 */
export class Promising {
  readonly #from = new Int32Array(OFFERED_MAX);
  readonly #to = new Int32Array(OFFERED_MAX);
  readonly #replicas = new Int32Array(OFFERED_MAX);
  readonly #bound = new Float64Array(OFFERED_MAX);
  /** Every place in the columns: first those of moves, as a heap with the lowest bound first, then the free ones. */
  readonly #heap = Int32Array.from({ length: OFFERED_MAX }, (_, n) => n);
  #offered = 0;
  #taken = 0;
  #highest = Number.POSITIVE_INFINITY;

  /** Forgets all of them; from now on what is not below `most` is not kept. */
  clear(most: number): this {
    this.#offered = 0;
    this.#taken = 0;
    this.#highest = most;
    return this;
  }

  offer(from: number, to: number, replicas: number, bound: number): void {
    if (bound < this.#highest) this.#keep(from, to, replicas, bound);
  }

  /** What is not below this is not kept. */
  get highest(): number {
    return this.#highest;
  }

  /** How many there are to take. */
  get count(): number {
    return Math.min(this.#offered, PROMISING_MAX - this.#taken);
  }

  /** Takes the one with the lowest bound, the first of equals by where from and where to. */
  next(): Move | undefined {
    if (this.count <= 0) return undefined;
    const at = this.#pop();
    this.#taken += 1;
    return {
      from: this.#from[at] ?? 0,
      to: this.#to[at] ?? 0,
      replicas: this.#replicas[at] ?? 0,
      bound: this.#bound[at] ?? 0,
    };
  }

  #keep(from: number, to: number, replicas: number, bound: number): void {
    const at = this.#heap[this.#offered] ?? 0;
    this.#from[at] = from;
    this.#to[at] = to;
    this.#replicas[at] = replicas;
    this.#bound[at] = bound;
    this.#rise(at);
    this.#offered += 1;
    if (this.#offered === OFFERED_MAX) this.#keepBetterHalf();
  }

  #keepBetterHalf(): void {
    // Each that is taken from the heap goes behind what is left of it: the other way round, they are sorted.
    while (this.#offered > OFFERED_MAX - PROMISING_MAX) this.#pop();
    this.#heap.reverse();
    this.#offered = PROMISING_MAX;
    this.#highest = this.#bound[this.#heap[PROMISING_MAX - 1] ?? 0] ?? 0;
  }

  /** Takes the first from the heap; its place is the first free one then. */
  #pop(): number {
    const heap = this.#heap;
    const first = heap[0] ?? 0;
    this.#offered -= 1;
    const last = heap[this.#offered] ?? 0;
    heap[this.#offered] = first;
    this.#sink(last);
    return first;
  }

  /** Puts a place at the end of the heap, and up to where it belongs. */
  #rise(place: number): void {
    const heap = this.#heap;
    let at = this.#offered;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above] ?? 0;
      if (!this.#precedes(place, other)) break;
      heap[at] = other;
      at = above;
    }
    heap[at] = place;
  }

  /** Puts a place at the top of the heap, and down to where it belongs. */
  #sink(place: number): void {
    const heap = this.#heap;
    const end = this.#offered;
    let at = 0;
    for (let below = 1; below < end; below = 2 * at + 1) {
      if (below + 1 < end && this.#precedes(heap[below + 1] ?? 0, heap[below] ?? 0)) below += 1;
      const other = heap[below] ?? 0;
      if (!this.#precedes(other, place)) break;
      heap[at] = other;
      at = below;
    }
    heap[at] = place;
  }

  #precedes(a: number, b: number): boolean {
    const x = this.#bound[a] ?? 0;
    const y = this.#bound[b] ?? 0;
    if (x !== y) return x < y;
    return (compared(this.#from, a, b) || compared(this.#to, a, b) || compared(this.#replicas, a, b)) < 0;
  }
}

function compared(column: Int32Array, a: number, b: number): number {
  return (column[a] ?? 0) - (column[b] ?? 0);
}
