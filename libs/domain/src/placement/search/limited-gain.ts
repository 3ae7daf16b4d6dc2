const BUCKETS = 128;

/**
 * What users gain who are offered something better, when it carries only some of them: those with the highest gains, found
 * by counting gains in even steps in place of sorting. Exact to a step of the range of gains for one bucket of users.
 */
export class LimitedGain {
  /** Filled by the caller: gains above 0, of how many users each, how many of both there are, and from what to what the gains go. */
  readonly gains: Float64Array;
  readonly amounts: Float64Array;
  count = 0;
  lowest = 0;
  highest = 0;
  readonly #amount = new Float64Array(BUCKETS);
  readonly #sum = new Float64Array(BUCKETS);

  constructor(size: number) {
    this.gains = new Float64Array(size);
    this.amounts = new Float64Array(size);
  }

  /** Of what was filled in, up to `most` users in all. `atMost`: never too low, else in the mean. */
  of(most: number, atMost: boolean): number {
    const { lowest, highest } = this;
    const perStep = highest > lowest ? (BUCKETS - 1e-6) / (highest - lowest) : 0;
    this.#fill(lowest, perStep);
    let left = most;
    let gain = 0;
    for (let b = BUCKETS - 1; b >= 0; b -= 1) {
      const amount = this.#amount[b] ?? 0;
      const sum = this.#sum[b] ?? 0;
      if (amount <= left) {
        left -= amount;
        gain += sum;
        continue;
      }
      const top = perStep > 0 ? lowest + (b + 1) / perStep : highest;
      return gain + (atMost ? Math.min(sum, left * top) : (left * sum) / amount);
    }
    return gain;
  }

  #fill(lowest: number, perStep: number): void {
    const { gains, amounts, count } = this;
    const amountBy = this.#amount.fill(0);
    const sumBy = this.#sum.fill(0);
    for (let n = 0; n < count; n += 1) {
      const gain = gains[n] ?? 0;
      const amount = amounts[n] ?? 0;
      const b = ((gain - lowest) * perStep) | 0;
      amountBy[b] = (amountBy[b] ?? 0) + amount;
      sumBy[b] = (sumBy[b] ?? 0) + amount * gain;
    }
  }
}
