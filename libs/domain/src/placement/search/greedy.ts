import type { GainSelection } from '../demand/gain-selection.js';
import type { LimitedGain } from './limited-gain.js';
import type { SetRules } from './set-rules.js';
import type { Space } from './space.js';
import type { WorkLeft } from './work-left.js';

/** Objectives nearer than this are ties; the earlier name wins. */
const EPSILON = 1e-9;

/**
 * Adds replicas one portion after the other, each where it lowers the objective most, until `wanted` are placed, or more
 * while that pays off up to the most that the problem allows. Every replica takes the users that gain most by it, as many
 * as it carries; users whom nobody serves yet gain a fixed large amount. Gains only fall as replicas are added, so a
 * candidate whose gain from an earlier round is not the highest is not looked at again (accelerated greedy: Minoux 1978).
 */
export function grow(space: Space, rules: SetRules, step: number, work: WorkLeft): void {
  if (rules.total < space.problem.range.max) new Greedy(space, rules, step, work).run();
}

class Greedy {
  /** Pieces of the demand: whose users, how many, and what it costs to serve them now. */
  readonly #point: Int32Array;
  readonly #amount: Float64Array;
  readonly #cost: Float64Array;
  #pieces = 0;
  /** Gain less cost of the next portion by candidate, and whether it was worked out in this round. */
  readonly #worth: Float64Array;
  readonly #fresh: Uint8Array;
  readonly #portions: Int32Array;
  /** By candidate that was the best of those up to it: which one was before it; -1 for none. */
  readonly #before: Int32Array;
  readonly #gains: GainSelection;
  readonly #limited: LimitedGain;

  constructor(
    private readonly space: Space,
    private readonly rules: SetRules,
    private readonly step: number,
    private readonly work: WorkLeft,
  ) {
    const { columns } = space;
    this.#worth = columns.worth;
    this.#fresh = columns.fresh.fill(0, 0, space.size);
    this.#portions = columns.portions;
    this.#before = columns.before;
    this.#gains = columns.gains;
    this.#limited = columns.limited;
    this.#point = columns.point;
    this.#amount = columns.amount;
    this.#cost = columns.cost;
    const unserved = 2 * space.dearest;
    for (let p = 0; p < space.users; p += 1) {
      this.#point[p] = p;
      this.#amount[p] = space.weight[p] ?? 0;
      this.#cost[p] = unserved;
    }
    this.#pieces = space.users;
    for (let at = 0; at < space.size; at += 1) {
      const n = rules.counts[at] ?? 0;
      if (n > 0) this.#serve(at, n);
    }
    // At most: as if all that a replica carries were at the nearest users.
    const carried = Math.min(1, space.carries);
    for (let at = 0; at < space.size; at += 1) {
      const gain = space.users === 0 ? 0 : carried * (unserved - (space.least[at] ?? 0));
      this.#worth[at] = gain - space.siteCost(at, rules.counts[at] ?? 0, 1);
    }
  }

  run(): void {
    const { range } = this.space.problem;
    while (this.rules.total < range.max) {
      const must = this.rules.total < range.min;
      const best = this.#best(true) ?? this.#best(false);
      if (!best) return;
      if (!must && best.worth <= EPSILON) return;
      const left = (must ? range.min : range.max) - this.rules.total;
      const portion = Math.min(best.portion, left);
      this.#serve(best.at, portion);
      this.rules.change(best.at, portion);
      this.#fresh.fill(0, 0, this.space.size);
    }
  }

  /** `lookAhead`: only where the budget still pays for the rest at the cheapest candidate. */
  #best(lookAhead: boolean): { at: number; portion: number; worth: number } | undefined {
    const { size } = this.space;
    const [portions, worth] = [this.#portions, this.#worth];
    for (let at = 0; at < size; at += 1) portions[at] = this.#portion(at, lookAhead);
    let best = -1;
    for (let start = 0; ;) {
      for (let at = start; at < size; at += 1) {
        if ((portions[at] ?? 0) < 1) continue;
        if (best >= 0 && (worth[at] ?? 0) <= (worth[best] ?? 0) + EPSILON) continue;
        this.#before[at] = best;
        best = at;
      }
      if (best < 0) return undefined;
      const portion = portions[best] ?? 0;
      // Out of work: what is known of the gains has to do.
      if (this.#fresh[best] === 1 || this.work.spent) return { at: best, portion, worth: worth[best] ?? 0 };
      worth[best] = this.#worthOf(best, portion);
      this.#fresh[best] = 1;
      // Up to there nothing has changed: it goes on with what was best before it.
      start = best;
      best = this.#before[best] ?? -1;
    }
  }

  #portion(at: number, lookAhead: boolean): number {
    const { rules, space } = this;
    const left = space.problem.range.min - rules.total;
    const asked = left > 0 ? Math.min(this.step, left) : this.step;
    if (rules.budget === Number.POSITIVE_INFINITY) return Math.min(asked, rules.room(at));
    const cheapest = lookAhead && left > 0 ? this.#cheapest() : 0;
    const dearer = (space.price[at] ?? 0) - cheapest;
    const purse = rules.budget - rules.spent - Math.max(0, left) * cheapest;
    const paid = dearer > 0 ? Math.floor(purse / dearer) : purse < 0 ? 0 : Number.POSITIVE_INFINITY;
    return Math.min(asked, rules.room(at), paid);
  }

  #cheapestKnown = Number.NaN;
  #cheapest(): number {
    if (Number.isNaN(this.#cheapestKnown)) {
      let least = Number.POSITIVE_INFINITY;
      for (let at = 0; at < this.space.size; at += 1) least = Math.min(least, this.space.price[at] ?? 0);
      this.#cheapestKnown = least;
    }
    return this.#cheapestKnown;
  }

  /** For each replica of the portion: portions may differ in size. */
  #worthOf(at: number, portion: number): number {
    this.work.take(this.#pieces);
    const gain = this.#gainOf(at, portion * this.space.carries);
    return (gain - this.space.siteCost(at, this.rules.counts[at] ?? 0, portion)) / portion;
  }

  /** What the users gain of whom a candidate carries so many, nearly: to choose among candidates. */
  #gainOf(at: number, carried: number): number {
    const row = this.space.rows[at];
    if (!row) return 0;
    const limited = this.#limited;
    const { gains, amounts } = limited;
    const [point, amount, costs] = [this.#point, this.#amount, this.#cost];
    let count = 0;
    let all = 0;
    let total = 0;
    let lowest = Number.POSITIVE_INFINITY;
    let highest = 0;
    for (let n = 0; n < this.#pieces; n += 1) {
      const gain = (costs[n] ?? 0) - (row[point[n] ?? 0] ?? 0);
      if (gain <= 0) continue;
      const users = amount[n] ?? 0;
      gains[count] = gain;
      amounts[count] = users;
      count += 1;
      all += users;
      total += users * gain;
      if (gain < lowest) lowest = gain;
      if (gain > highest) highest = gain;
    }
    if (all <= carried) return total;
    limited.count = count;
    limited.lowest = lowest;
    limited.highest = highest;
    return limited.of(carried, false);
  }

  #takers(at: number, replicas: number): GainSelection {
    const row = this.space.rows[at];
    const selection = this.#gains.clear();
    if (!row) return selection;
    for (let n = 0; n < this.#pieces; n += 1) {
      const gain = (this.#cost[n] ?? 0) - (row[this.#point[n] ?? 0] ?? 0);
      if (gain > 0) selection.offer(n, gain, this.#amount[n] ?? 0);
    }
    return selection.limit(replicas * this.space.carries);
  }

  #serve(at: number, replicas: number): void {
    const row = this.space.rows[at];
    if (!row || this.space.users === 0) return;
    const takers = this.#takers(at, replicas);
    for (let n = 0; n < takers.count; n += 1) {
      const piece = takers.piece[n] ?? 0;
      this.#cost[piece] = row[this.#point[piece] ?? 0] ?? 0;
    }
    if (takers.partOf < 0) return;
    // The last one is taken in part: the rest stays where it is, as a piece of its own.
    const piece = takers.partOf;
    const has = this.#amount[piece] ?? 0;
    const rest = this.#pieces;
    this.#point[rest] = this.#point[piece] ?? 0;
    this.#amount[rest] = has - takers.part;
    this.#cost[rest] = this.#cost[piece] ?? 0;
    this.#pieces += 1;
    this.#amount[piece] = takers.part;
    this.#cost[piece] = row[this.#point[piece] ?? 0] ?? 0;
  }
}
