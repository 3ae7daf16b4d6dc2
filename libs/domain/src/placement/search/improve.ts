import { openOf } from '../choice.js';
import type { Flow } from '../demand/transport.js';
import type { LimitedGain } from './limited-gain.js';
import type { Opening } from './opening.js';
import type { Move, Promising } from './promising.js';
import type { SetRules } from './set-rules.js';
import type { Space } from './space.js';
import type { WorkLeft } from './work-left.js';

/** Objectives nearer than this are ties: nothing moves for less. */
export const EPSILON = 1e-9;
const ROUNDS_MAX = 48;
/** User locations by open site up to which a move is worked out from how users are served now. */
const USERS_PER_SITE_FEW = 4;
/** Moves of one round that are worked out exactly and do not gain, at least; more as long as they take little work. */
const FAILED_PER_ROUND = 8;
const FAILED_WORK_PER_ROUND = 100_000;
/** Where there are so many replicas that one more or less at the right site hardly shows, a move has to show soon that it gains. */
const MANY_REPLICAS = 16;
const FAILED_WORK_OF_MANY = 10_000;

/**
 * Moves replicas between candidates while that lowers the objective: the vertex substitution of Teitz and Bart (1968), with
 * the gain and loss of all pairs worked out together as in the fast interchange of Whitaker (1983) and Resende and
 * Werneck (2007). Where replicas are full, what users cost is taken at the dual prices of the transportation problem:
 * the change so found is a lower bound of the true one, so a move that does not gain by it need not be looked at, and
 * what is left when no bound is below zero is a local optimum of the capacitated problem. The others are solved exactly.
 */
export class Improve {
  #open: number[] = [];
  #flow: Flow | undefined;
  #objective = 0;
  readonly #price: Float64Array;
  /** By user location: the cheapest open candidate, its cost at prices, and that of the second. */
  readonly #first: Int32Array;
  readonly #cost1: Float64Array;
  readonly #cost2: Float64Array;
  readonly #limitedGain: LimitedGain;
  /** What `gainOfOpening` answers with: valid until the next candidate. */
  readonly #opening: Opening;
  /** What `promising` answers with: valid until the next time. */
  readonly #moves: Promising;

  constructor(
    private readonly space: Space,
    private readonly rules: SetRules,
    private readonly step: number,
    private work: WorkLeft,
  ) {
    const { columns } = space;
    this.#price = columns.shadow;
    this.#limitedGain = columns.limited;
    this.#opening = columns.opening;
    this.#moves = columns.moves;
    this.#first = columns.first;
    this.#cost1 = columns.cost1;
    this.#cost2 = columns.cost2;
    this.#settle();
  }

  /** Users' cost and sites' cost of the counts as they are, without what is the same for every choice. */
  get objective(): number {
    return this.#objective;
  }

  get open(): readonly number[] {
    return this.#open;
  }

  /** Moves until nothing gains, or the work is done. */
  run(): void {
    for (let round = 0; round < ROUNDS_MAX && !this.work.spent; round += 1) {
      if (!this.#round()) return;
    }
  }

  #round(): boolean {
    const moves = this.#promising(-EPSILON);
    let gained = false;
    const { max } = this.space.problem.range;
    const work = max > MANY_REPLICAS ? FAILED_WORK_OF_MANY : FAILED_WORK_PER_ROUND;
    const tries = work / Math.max(1, this.#open.length * this.space.users);
    const patience = this.work.unlimited ? moves.count : Math.max(FAILED_PER_ROUND, tries);
    let failed = 0;
    for (let move = moves.next(); move; move = moves.next()) {
      if (failed >= patience || this.work.spent) break;
      if (move.from >= 0 && (this.rules.counts[move.from] ?? 0) < move.replicas) continue;
      if (!this.rules.allows(move.from, move.to, move.replicas)) continue;
      // After a move the other bounds are old: they still say which moves to try, and each is tried exactly.
      if (this.#tried(move)) gained = true;
      else failed += 1;
    }
    return gained;
  }

  /** By how much the objective would change, exactly; Infinity when a rule forbids it. */
  change(move: Omit<Move, 'bound'>): number {
    if (!this.rules.allows(move.from, move.to, move.replicas)) return Number.POSITIVE_INFINITY;
    if (this.#changesFew(move)) return this.#changeBy(move, Number.POSITIVE_INFINITY);
    const [before, flow, open] = [this.#objective, this.#flow, this.#open];
    this.#apply(move, 1);
    this.#settle();
    const change = this.#objective - before;
    this.#apply(move, -1);
    [this.#objective, this.#flow, this.#open] = [before, flow, open];
    return change;
  }

  /**
   * Whether it is enough to work out what a move changes: the replicas carry all users before and after it, and it is of
   * few users beside all the others. Where many users share a site, a serving from nothing takes fewer paths.
   */
  #changesFew({ to, replicas }: Omit<Move, 'bound'>): boolean {
    const { space, rules } = this;
    const least = to < 0 ? rules.total - replicas : rules.total;
    const few = space.users > 0 && space.users <= USERS_PER_SITE_FEW * this.#open.length;
    return few && least * space.carries >= 1 - EPSILON;
  }

  /** As `change`, from how users are served now; Infinity as soon as it is sure to be `limit` or more. */
  #changeBy(move: Omit<Move, 'bound'>, limit: number): number {
    const { space, rules } = this;
    const { from, to, replicas } = move;
    let sites = 0;
    if (to >= 0) sites += space.siteCost(to, rules.counts[to] ?? 0, replicas);
    if (from >= 0) sites += space.siteCost(from, rules.counts[from] ?? 0, -replicas);
    this.work.take(this.#open.length * space.users);
    if (!space.isBasis(this.#flow)) this.#flow = space.serve(this.#open, rules.counts);
    const served = this.#flow?.cost ?? 0;
    return space.moved(this.#open, move, limit - sites + served) - served + sites;
  }

  /** Takes replicas away where they are missed least, as many as one portion and at most `most`. */
  dropOne(most: number): void {
    let best: Move | undefined;
    for (const from of this.#open) {
      const replicas = Math.min(this.rules.counts[from] ?? 0, this.step, most);
      const move = { from, to: -1, replicas };
      this.#apply(move, 1);
      const [before, flow, open] = [this.#objective, this.#flow, this.#open];
      this.#settle();
      const bound = this.#objective;
      this.#apply(move, -1);
      [this.#objective, this.#flow, this.#open] = [before, flow, open];
      if (!best || bound < best.bound - EPSILON) best = { ...move, bound };
    }
    if (best) this.#apply(best, 1);
    this.#settle();
  }

  #tried(move: Move): boolean {
    if (this.#changesFew(move)) {
      if (this.#changeBy(move, -EPSILON) >= -EPSILON) return false;
      this.#apply(move, 1);
      this.#settle();
      return true;
    }
    const [before, flow, open] = [this.#objective, this.#flow, this.#open];
    this.#apply(move, 1);
    this.#settle(before - EPSILON);
    if (this.#objective < before - EPSILON) return true;
    this.#apply(move, -1);
    [this.#objective, this.#flow, this.#open] = [before, flow, open];
    return false;
  }

  #apply({ from, to, replicas }: Omit<Move, 'bound'>, sign: 1 | -1): void {
    if (from >= 0) this.rules.change(from, -sign * replicas);
    if (to >= 0) this.rules.change(to, sign * replicas);
  }

  /** Works out the objective of the counts; Infinity as soon as it is sure to be `limit` or more. */
  #settle(limit = Number.POSITIVE_INFINITY): void {
    const { space, rules } = this;
    this.#open = openOf(rules.counts);
    let cost = 0;
    for (const at of this.#open) cost += space.siteCost(at, 0, rules.counts[at] ?? 0);
    this.work.take(this.#open.length * space.users);
    this.#flow = cost < limit ? space.serve(this.#open, rules.counts, limit - cost) : undefined;
    const served = this.#flow !== undefined || space.users === 0 || this.#open.length === 0;
    this.#objective = served ? cost + (this.#flow?.cost ?? 0) : Number.POSITIVE_INFINITY;
  }

  /** Moves whose bound is below `most`, the lowest first. `toEmpty`: only to candidates that have nothing, all of a site's. */
  #promising(most: number, toEmpty = false): Promising {
    this.#toNearest();
    const moves = this.#moves.clear(most);
    const losses = this.#lossOfClosing();
    const { counts } = this.rules;
    for (let to = 0; to < this.space.size && !this.work.spent; to += 1) {
      const has = counts[to] ?? 0;
      if (toEmpty && has > 0) continue;
      if (this.rules.room(to) < 1 && !this.#mayTrade(to)) continue;
      const opening = has > 0 ? undefined : this.#gainOfOpening(to);
      if (opening?.over) {
        // What replicas carry is worked out only where it would gain without that limit.
        if (this.#lowest(to, losses, opening) >= moves.highest) continue;
        this.#limit(to, opening);
      }
      this.#pairs(to, losses, opening, toEmpty);
    }
    if (!toEmpty && this.rules.total > this.space.problem.range.min) this.#drops(losses, moves);
    return moves;
  }

  /** No bound of a move to an empty candidate is below this. */
  #lowest(to: number, losses: Float64Array, { gain, saved }: Opening): number {
    const { space, step } = this;
    const portion = space.siteCost(to, 0, step);
    let least = this.rules.total < space.problem.range.max ? portion : Number.POSITIVE_INFINITY;
    for (let n = 0; n < this.#open.length; n += 1) {
      const from = this.#open[n] ?? 0;
      const own = this.rules.counts[from] ?? 0;
      const price = (this.#price[from] ?? 0) * space.carries;
      const users = (losses[n] ?? 0) - (saved[n] ?? 0) + price * own;
      least = Math.min(least, users + space.siteCost(from, own, -own) + space.siteCost(to, 0, own));
      if (own > step) least = Math.min(least, this.#less(n, step) + price * step + portion);
    }
    return least - gain;
  }

  /** A full group or set may still exchange one replica for another. */
  #mayTrade(to: number): boolean {
    return !this.rules.isFull(to);
  }

  #pairs(to: number, losses: Float64Array, opening: Opening | undefined, toEmpty: boolean): void {
    const { space, rules, step } = this;
    const moves = this.#moves;
    const has = rules.counts[to] ?? 0;
    const lambda = opening ? 0 : (this.#price[to] ?? 0) * space.carries;
    const gain = opening ? opening.gain : 0;
    const addOne = space.siteCost(to, has, 1);
    if (!toEmpty && rules.total < space.problem.range.max) {
      const gained = opening ? gain : lambda * step;
      moves.offer(-1, to, step, space.siteCost(to, has, step) - gained);
    }
    for (let n = 0; n < this.#open.length; n += 1) {
      const from = this.#open[n] ?? 0;
      if (from === to) continue;
      const own = rules.counts[from] ?? 0;
      const saved = opening ? (opening.saved[n] ?? 0) : 0;
      const closed = (losses[n] ?? 0) - saved - gain;
      const price = (this.#price[from] ?? 0) * space.carries;
      if (!toEmpty && (own > step || own === 1)) {
        const replicas = own === 1 ? 1 : step;
        const users = own === 1 ? closed : -gain;
        const sites = (replicas === 1 ? addOne : space.siteCost(to, has, replicas)) + this.#less(n, replicas);
        moves.offer(from, to, replicas, users + sites + (price - lambda) * replicas);
      }
      if (own > 1) {
        const sites = space.siteCost(to, has, own) + space.siteCost(from, own, -own);
        const users = opening ? closed - opening.beyond : closed;
        moves.offer(from, to, own, users + sites + (price - lambda) * own);
      } else if (toEmpty) {
        const sites = addOne + this.#less(n, 1);
        moves.offer(from, to, 1, closed + sites + price);
      }
    }
  }

  #less(n: number, replicas: number): number {
    const from = this.#open[n] ?? 0;
    return this.space.siteCost(from, this.rules.counts[from] ?? 0, -replicas);
  }

  #drops(losses: Float64Array, moves: Promising): void {
    const over = this.rules.total - this.space.problem.range.min;
    for (const [n, from] of this.#open.entries()) {
      const own = this.rules.counts[from] ?? 0;
      const replicas = Math.min(own, this.step, over);
      const users = replicas === own ? (losses[n] ?? 0) : 0;
      const bound =
        users + this.#less(n, replicas) + (this.#price[from] ?? 0) * this.space.carries * replicas;
      moves.offer(from, -1, replicas, bound);
    }
  }

  #toNearest(): void {
    const { space } = this;
    this.#price.fill(0, 0, space.size);
    for (let n = 0; n < this.#open.length; n += 1)
      this.#price[this.#open[n] ?? 0] = this.#flow?.prices[n] ?? 0;
    const cost1 = this.#cost1.fill(Number.POSITIVE_INFINITY, 0, space.users);
    const cost2 = this.#cost2.fill(Number.POSITIVE_INFINITY, 0, space.users);
    const first = this.#first;
    for (let n = 0; n < this.#open.length; n += 1) {
      const at = this.#open[n] ?? 0;
      const row = space.rows[at];
      const price = this.#price[at] ?? 0;
      if (!row) continue;
      for (let p = 0; p < space.users; p += 1) {
        const cost = (row[p] ?? 0) + price;
        if (cost < (cost1[p] ?? 0)) {
          cost2[p] = cost1[p] ?? 0;
          cost1[p] = cost;
          first[p] = n;
        } else if (cost < (cost2[p] ?? 0)) cost2[p] = cost;
      }
    }
    this.work.take(this.#open.length * space.users);
  }

  /** By open candidate: what its users lose when it closes and they go to their second; Infinity for the only one. */
  #lossOfClosing(): Float64Array {
    const losses = new Float64Array(this.#open.length);
    for (let p = 0; p < this.space.users; p += 1) {
      const n = this.#first[p] ?? 0;
      losses[n] = (losses[n] ?? 0) + (this.space.weight[p] ?? 0) * this.#rise(p);
    }
    return losses;
  }

  /** From a user's first to their second; with no second, as much as anything they could be offered. */
  #rise(p: number): number {
    const second = this.#cost2[p] ?? 0;
    return (second === Number.POSITIVE_INFINITY ? this.space.dearest : second) - (this.#cost1[p] ?? 0);
  }

  /** What users gain when a candidate opens with one portion, and what of each closing's loss it saves beyond that. */
  #gainOfOpening(to: number): Opening {
    const { space } = this;
    const row = space.rows[to];
    const opening = this.#opening.clear(this.#open.length);
    if (!row) return opening;
    const { users, weight, dearest } = space;
    const { saved } = opening;
    const [cost1, cost2, firstOf] = [this.#cost1, this.#cost2, this.#first];
    this.work.take(users);
    let gain = 0;
    let amount = 0;
    for (let p = 0; p < users; p += 1) {
      const w = weight[p] ?? 0;
      const cost = row[p] ?? 0;
      const first = cost1[p] ?? 0;
      if (cost < first) {
        gain += w * (first - cost);
        amount += w;
      }
      const second = cost2[p] ?? 0;
      if (cost >= second) continue;
      const n = firstOf[p] ?? 0;
      const highest = second === Number.POSITIVE_INFINITY ? dearest : second;
      saved[n] = (saved[n] ?? 0) + w * (highest - (cost > first ? cost : first));
    }
    opening.gain = gain;
    opening.over = amount > this.step * space.carries;
    return opening;
  }

  /** Has what an opening gains heed what one portion carries. */
  #limit(to: number, opening: Opening): void {
    const { weight, users, rows, carries } = this.space;
    const row = rows[to];
    if (!row) return;
    const limited = this.#limitedGain;
    const { gains, amounts } = limited;
    const cost1 = this.#cost1;
    let count = 0;
    let lowest = Number.POSITIVE_INFINITY;
    let highest = 0;
    for (let p = 0; p < users; p += 1) {
      const gain = (cost1[p] ?? 0) - (row[p] ?? 0);
      if (gain <= 0) continue;
      gains[count] = gain;
      amounts[count] = weight[p] ?? 0;
      count += 1;
      if (gain < lowest) lowest = gain;
      if (gain > highest) highest = gain;
    }
    this.work.take(users);
    limited.count = count;
    limited.lowest = lowest;
    limited.highest = highest;
    const gain = limited.of(this.step * carries, true);
    opening.beyond = opening.gain - gain;
    opening.gain = gain;
    opening.over = false;
  }

  /** The best choice with all replicas of one site at one that has none instead, among the most promising. */
  runnerUp(work: WorkLeft): Move | undefined {
    this.work = work;
    let best: Move | undefined;
    let looks = 0;
    const moves = this.#promising(Number.POSITIVE_INFINITY, true);
    for (let move = moves.next(); move; move = moves.next()) {
      if (best && (looks >= RUNNERS_UP_TRIED || move.bound >= best.bound - EPSILON)) break;
      const change = this.change(move);
      if (change === Number.POSITIVE_INFINITY) continue;
      looks += 1;
      if (!best || change < best.bound - EPSILON) best = { ...move, bound: change };
    }
    return best;
  }
}

const RUNNERS_UP_TRIED = 3;
