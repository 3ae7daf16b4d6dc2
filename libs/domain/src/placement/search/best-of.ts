/** The few with the lowest cost of many offered, the earliest first among equals. */
export class BestOf {
  readonly #items: Int32Array;
  readonly #costs: Float64Array;
  #size = 0;

  constructor(private readonly most: number) {
    this.#items = new Int32Array(most);
    this.#costs = new Float64Array(most);
  }

  clear(): void {
    this.#size = 0;
  }

  offer(item: number, cost: number): void {
    if (this.#size === this.most && cost >= (this.#costs[this.#size - 1] ?? 0)) return;
    let at = this.#size < this.most ? this.#size : this.most - 1;
    while (at > 0 && (this.#costs[at - 1] ?? 0) > cost) {
      this.#costs[at] = this.#costs[at - 1] ?? 0;
      this.#items[at] = this.#items[at - 1] ?? 0;
      at -= 1;
    }
    this.#costs[at] = cost;
    this.#items[at] = item;
    if (this.#size < this.most) this.#size += 1;
  }

  /** What is not below this is not kept. */
  get highest(): number {
    return this.#size < this.most ? Number.POSITIVE_INFINITY : (this.#costs[this.#size - 1] ?? 0);
  }

  /** The lowest first. */
  get items(): Int32Array {
    return this.#items.subarray(0, this.#size);
  }
}
