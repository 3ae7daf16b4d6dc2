/** The pieces that gain most, up to an amount: a fractional knapsack, by selection and not by sorting. */
export class GainSelection {
  piece: Int32Array;
  #gain: Float64Array;
  #amount: Float64Array;
  /** How many pieces are taken whole: the first of `piece`. */
  count = 0;
  /** The piece taken in part, or -1, and how much of it. */
  partOf = -1;
  part = 0;
  /** What all that is taken gains. */
  gain = 0;
  #offered = 0;

  constructor(readonly size: number) {
    this.piece = new Int32Array(size);
    this.#gain = new Float64Array(size);
    this.#amount = new Float64Array(size);
  }

  clear(): this {
    this.#offered = 0;
    return this;
  }

  offer(piece: number, gain: number, amount: number): void {
    this.piece[this.#offered] = piece;
    this.#gain[this.#offered] = gain;
    this.#amount[this.#offered] = amount;
    this.#offered += 1;
  }

  /** Whether everything that was offered is taken. */
  get isAll(): boolean {
    return this.count === this.#offered;
  }

  /** The least gain of what is taken, also in part. */
  get lowest(): number {
    if (this.partOf >= 0) return this.#partGain;
    let lowest = Number.POSITIVE_INFINITY;
    for (let n = 0; n < this.count; n += 1) lowest = Math.min(lowest, this.#gain[n] ?? 0);
    return this.count === 0 ? 0 : lowest;
  }
  #partGain = 0;

  /** Takes what gains most, up to `most` in all. */
  limit(most: number): this {
    let low = 0;
    let high = this.#offered;
    let left = most;
    this.gain = 0;
    this.partOf = -1;
    // All before `low` is taken, nothing from `high` on.
    while (low < high) {
      const middle = this.#split(low, high);
      let amount = 0;
      let gain = 0;
      for (let n = low; n < middle; n += 1) {
        amount += this.#amount[n] ?? 0;
        gain += (this.#amount[n] ?? 0) * (this.#gain[n] ?? 0);
      }
      if (amount <= left) {
        left -= amount;
        this.gain += gain;
        low = middle;
      } else if (middle - low > 1) {
        high = middle;
      } else {
        this.partOf = this.piece[low] ?? -1;
        this.part = left;
        this.#partGain = this.#gain[low] ?? 0;
        this.gain += left * (this.#gain[low] ?? 0);
        high = low;
      }
    }
    this.count = low;
    return this;
  }

  /** Puts those that gain at least the middle one's before the others; at least one and, of more than one, not all. */
  #split(low: number, high: number): number {
    if (high - low === 1) return high;
    const pivot = this.#pivot(low, high);
    let a = low;
    let b = high - 1;
    for (;;) {
      while ((this.#gain[a] ?? 0) > pivot) a += 1;
      while ((this.#gain[b] ?? 0) < pivot) b -= 1;
      if (a >= b) break;
      this.#exchange(a, b);
      a += 1;
      b -= 1;
    }
    return Math.max(low + 1, Math.min(high - 1, a));
  }

  #pivot(low: number, high: number): number {
    const a = this.#gain[low] ?? 0;
    const b = this.#gain[(low + high) >> 1] ?? 0;
    const c = this.#gain[high - 1] ?? 0;
    return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
  }

  #exchange(a: number, b: number): void {
    const piece = this.piece[a] ?? 0;
    const gain = this.#gain[a] ?? 0;
    const amount = this.#amount[a] ?? 0;
    this.piece[a] = this.piece[b] ?? 0;
    this.#gain[a] = this.#gain[b] ?? 0;
    this.#amount[a] = this.#amount[b] ?? 0;
    this.piece[b] = piece;
    this.#gain[b] = gain;
    this.#amount[b] = amount;
  }
}
