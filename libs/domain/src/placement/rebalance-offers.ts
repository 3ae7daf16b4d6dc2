import { gainPerMove, type Counts, type Step } from './rebalance-steps.js';

/** The next step of a workload towards where it would be placed now. */
export interface Offer {
  /** `<project>.<name>`. */
  readonly key: string;
  /** Where it is going: what the engine would choose. */
  readonly target: Counts;
  readonly step: Step;
  /** How often it was looked at again. */
  readonly retries: number;
}

/** Offers by gain per move, the best first; equal ones by key. At most one for each workload. */
export class OfferQueue {
  /** The best last. */
  readonly #offers: Offer[] = [];

  /** Gain per move of the best; none is as good as minus infinity. */
  get best(): number {
    const offer = this.#offers.at(-1);
    return offer ? gainPerMove(offer.step) : Number.NEGATIVE_INFINITY;
  }

  put(offer: Offer): void {
    let [low, high] = [0, this.#offers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#offers[middle];
      if (other && comesAfter(offer, other)) high = middle;
      else low = middle + 1;
    }
    this.#offers.splice(low, 0, offer);
  }

  /** The best, which is then out of the queue. */
  take(): Offer | undefined {
    return this.#offers.pop();
  }
}

function comesAfter(a: Offer, b: Offer): boolean {
  const [mine, other] = [gainPerMove(a.step), gainPerMove(b.step)];
  return mine < other || (mine === other && a.key > b.key);
}
