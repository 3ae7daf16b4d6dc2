import type { PlacementRules } from '@skerry/contracts';
import { runningBudgetOf } from '../budget-of.js';
import type { Candidate, Problem } from '../types.js';

const EPSILON = 1e-9;

/** The rule of the whole set that stops a replica, when no single site's limit does. */
export type SetRule = 'spread' | 'distinct' | 'survive' | 'budget';

/**
 * The rules over all replicas together, kept in step with the counts as the search changes them: a site's ceiling, the
 * spread (even counts or target shares), one replica for each value of a label, survival of a site's loss, the budget.
 */
export class SetRules {
  readonly counts: Int32Array;
  total = 0;
  spent = 0;
  readonly budget: number;
  readonly #ceiling: Float64Array;
  readonly #price: Float64Array;
  readonly #spread: Groups | undefined;
  readonly #distinct: Groups | undefined;
  readonly #survivable: number;

  /** A candidate that takes nothing; -1 for none. */
  readonly #closed: number;

  /**
   * `groups`: every value of the spread over all sites that passed, also over those that are not searched. `closed`: a
   * candidate that takes nothing. `like`: other rules of the same problem, whose columns are used again.
   */
  constructor(
    private readonly problem: Problem,
    groups: ReadonlySet<string>,
    { closed = -1, like }: { readonly closed?: number; readonly like?: SetRules } = {},
  ) {
    const { candidates, range, request, carries } = problem;
    const { placement } = request.workload.spec;
    this.#closed = closed;
    this.counts = new Int32Array(candidates.length);
    this.budget = like ? like.budget : runningBudgetOf(problem) + EPSILON;
    this.#ceiling = like ? like.#ceiling : new Float64Array(candidates.length);
    this.#price = like ? like.#price : new Float64Array(candidates.length);
    if (!like) this.#read();
    this.#spread = placement.spread && spreadGroups(problem, placement.spread, groups);
    this.#distinct =
      placement.distinct === undefined
        ? undefined
        : new Groups(
            candidates.map((c) => c.distinct),
            () => 1,
          );
    // After the loss of any one site the others carry all users: with as many replicas as are wanted, at the least.
    this.#survivable = placement.survive
      ? Math.floor(range.min - 1 / carries + EPSILON)
      : Number.POSITIVE_INFINITY;
  }

  #read(): void {
    const { candidates, range } = this.problem;
    for (let i = 0; i < candidates.length; i += 1) {
      this.#ceiling[i] = Math.min(candidates[i]?.ceiling ?? 0, range.max);
      this.#price[i] = candidates[i]?.price ?? 0;
    }
  }

  /** The most that a candidate may hold by itself. */
  #most(at: number): number {
    return at === this.#closed ? 0 : (this.#ceiling[at] ?? 0);
  }

  /** Whether a candidate holds as many as it may, whatever the rules of the set say. */
  isFull(at: number): boolean {
    return (this.counts[at] ?? 0) >= this.#most(at);
  }

  /** How many more replicas a candidate may take, whatever they cost. */
  room(at: number): number {
    return Math.min(
      this.#most(at) - (this.counts[at] ?? 0),
      this.#lossLimit(this.total) - (this.counts[at] ?? 0),
      this.#spread?.room(at) ?? Number.POSITIVE_INFINITY,
      this.#distinct?.room(at) ?? Number.POSITIVE_INFINITY,
    );
  }

  /** Whether so many replicas may move (`from` or `to` below 0: from or to nowhere). */
  allows(from: number, to: number, replicas: number): boolean {
    const total = this.total + (from < 0 ? replicas : 0) - (to < 0 ? replicas : 0);
    const { min, max } = this.problem.range;
    if ((to < 0 && total < min) || (from < 0 && total > max)) return false;
    if (to >= 0 && (this.counts[to] ?? 0) + replicas > Math.min(this.#most(to), this.#lossLimit(total))) {
      return false;
    }
    if (to < 0 && !this.#survives(total, from, replicas)) return false;
    const price = (at: number) => (at < 0 ? 0 : (this.#price[at] ?? 0));
    const spent = this.spent + (price(to) - price(from)) * replicas;
    if (spent > this.budget && spent > this.spent) return false;
    return (
      (this.#spread?.allows(from, to, replicas) ?? true) &&
      (this.#distinct?.allows(from, to, replicas) ?? true)
    );
  }

  change(at: number, replicas: number): void {
    this.counts[at] = (this.counts[at] ?? 0) + replicas;
    this.total += replicas;
    this.spent += replicas * (this.#price[at] ?? 0);
    this.#spread?.change(at, replicas);
    this.#distinct?.change(at, replicas);
  }

  /** Whether what is placed keeps every rule. */
  get holds(): boolean {
    return (
      this.spent <= this.budget &&
      (this.#spread?.holds ?? true) &&
      (this.#distinct?.holds ?? true) &&
      this.counts.every((n, i) => n <= Math.min(this.#most(i), this.#lossLimit(this.total)))
    );
  }

  /** What stops a candidate from taking one more. */
  stops(at: number): SetRule | undefined {
    const n = this.counts[at] ?? 0;
    if (n >= this.#most(at)) return undefined;
    if ((this.#spread?.room(at) ?? 1) < 1) return 'spread';
    if ((this.#distinct?.room(at) ?? 1) < 1) return 'distinct';
    if (n >= this.#lossLimit(this.total)) return 'survive';
    return this.spent + (this.#price[at] ?? 0) > this.budget ? 'budget' : undefined;
  }

  /** How much of what the replicas are for may go to one site. More replicas than wanted let one site hold more. */
  #lossLimit(total: number): number {
    return this.#survivable + Math.max(0, total - this.problem.range.min);
  }

  #survives(total: number, from: number, replicas: number): boolean {
    if (this.#survivable === Number.POSITIVE_INFINITY) return true;
    const limit = this.#lossLimit(total);
    return this.counts.every((n, i) => (i === from ? n - replicas : n) <= limit);
  }
}

/** Replicas by group of candidates. */
class Groups {
  readonly #of: Int32Array;
  readonly #counts: number[];
  readonly #most: number[];
  /** The two least counts: without one group, the least of the others is one of them. */
  #least: readonly [number, number] = [0, 0];

  /** `most`: how many a group may hold. `skew`: by how much any two may differ. */
  constructor(
    names: readonly string[],
    private readonly most: (group: string) => number,
    private readonly skew: number = Number.POSITIVE_INFINITY,
    others: ReadonlySet<string> = new Set(),
  ) {
    const numbers = new Map<string, number>();
    this.#of = Int32Array.from(names, (name) => {
      const known = numbers.get(name) ?? numbers.size;
      numbers.set(name, known);
      return known;
    });
    this.#most = [...numbers.keys()].map((name) => this.most(name));
    this.#counts = this.#most.map(() => 0);
    // A group that nobody of is searched stays empty and holds the others back: one stands for all of them.
    if ([...others].some((name) => !numbers.has(name))) {
      this.#counts.push(0);
      this.#most.push(0);
    }
    this.#findLeast();
  }

  room(at: number): number {
    const group = this.#of[at] ?? 0;
    const own = this.#counts[group] ?? 0;
    const room = (this.#most[group] ?? 0) - own;
    if (this.skew === Number.POSITIVE_INFINITY) return room;
    const [least, second] = this.#least;
    return Math.min(room, (own === least ? second : least) + this.skew - own);
  }

  allows(from: number, to: number, replicas: number): boolean {
    const source = from < 0 ? -1 : (this.#of[from] ?? 0);
    const target = to < 0 ? -1 : (this.#of[to] ?? 0);
    if (source === target) return true;
    return this.#within((n, g) => (g === source ? n - replicas : g === target ? n + replicas : n));
  }

  change(at: number, replicas: number): void {
    const group = this.#of[at] ?? 0;
    this.#counts[group] = (this.#counts[group] ?? 0) + replicas;
    if (this.skew < Number.POSITIVE_INFINITY) this.#findLeast();
  }

  #findLeast(): void {
    let [least, second] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const n of this.#counts) {
      if (n < least) [least, second] = [n, least];
      else if (n < second) second = n;
    }
    this.#least = [least, second];
  }

  get holds(): boolean {
    return this.#within((n) => n);
  }

  #within(after: (n: number, group: number) => number): boolean {
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (let g = 0; g < this.#counts.length; g += 1) {
      const n = after(this.#counts[g] ?? 0, g);
      if (n > (this.#most[g] ?? 0)) return false;
      least = Math.min(least, n);
      most = Math.max(most, n);
    }
    return most === 0 || most - least <= this.skew;
  }
}

function spreadGroups(
  { candidates, range }: Problem,
  spread: NonNullable<PlacementRules['spread']>,
  others: ReadonlySet<string>,
): Groups {
  if (spread.targets === undefined) {
    return new Groups(
      candidates.map((c) => c.domain),
      () => Number.POSITIVE_INFINITY,
      spread.maxSkew ?? 1,
      others,
    );
  }
  const { targets } = spread;
  const quotas = quotasOf(targets, range.max);
  const groupOf = ({ domain }: Candidate) => (domain in targets ? domain : OTHERS);
  return new Groups(candidates.map(groupOf), (group) => quotas.get(group) ?? 0);
}

const OTHERS = '*';

/**
 * Whole replicas by group for shares in percent: the largest remainder method (Hare quota), which keeps every group within
 * one of its share and the sum of the deviations least. Equal remainders go to the first by name.
 */
export function quotasOf(
  targets: Readonly<Record<string, number>>,
  replicas: number,
): ReadonlyMap<string, number> {
  const exact = Object.entries(targets)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, percent]) => ({ group, share: (percent / 100) * replicas }));
  const quotas = new Map(exact.map(({ group, share }) => [group, Math.floor(share + EPSILON)]));
  let left = replicas - [...quotas.values()].reduce((sum, n) => sum + n, 0);
  const byRemainder = exact.toSorted((a, b) => remainder(b.share) - remainder(a.share));
  for (const { group } of byRemainder) {
    if (left <= 0) break;
    quotas.set(group, (quotas.get(group) ?? 0) + 1);
    left -= 1;
  }
  return quotas;
}

/** Rounded, so that equal remainders are equal. */
function remainder(share: number): number {
  return Math.round((share - Math.floor(share + EPSILON)) * 1e6);
}
