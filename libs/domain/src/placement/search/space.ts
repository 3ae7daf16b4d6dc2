import { Transport, type Flow } from '../demand/transport.js';
import { marginalCost, toPairCosts } from '../terms/index.js';
import type { Problem } from '../types.js';
import { Columns } from './columns.js';

/** Replicas from one candidate to another; -1 for from nowhere or to nowhere. */
interface Moved {
  readonly from: number;
  readonly to: number;
  readonly replicas: number;
}

/**
 * A problem as the search works on it: costs by candidate and user location in rows, and what one replica more or less
 * costs at each candidate, kept in step with the counts.
 */
export class Space {
  readonly size: number;
  readonly users: number;
  readonly weight: Float64Array;
  readonly rows: readonly Float64Array[];
  readonly carries: number = 0;
  /** By candidate, as the next one; these may be longer than there are candidates. */
  readonly price: Float64Array;
  /** By candidate: what the user nearest to it costs. */
  readonly least: Float64Array;
  /**
   * More than any user costs anywhere. As `carries` a number from the start: of a field that was undefined once the engine
   * does not know that it always is one, and makes an object of each number it might be exchanged for.
   */
  readonly dearest: number = 0;
  /** What the search works with; see `release`. */
  readonly columns: Columns;
  /** By candidate: of how many replicas `columns.sums` has what they cost. */
  readonly #known: Int32Array;
  readonly #transport: Transport;

  constructor(readonly problem: Problem) {
    this.size = problem.candidates.length;
    this.users = problem.users.count;
    this.weight = problem.users.weight;
    this.#transport = new Transport(this.weight);
    // Each portion that greedy addition places splits one piece at most.
    const pieces = this.users + problem.range.max + 1;
    this.columns = Columns.lend(this.size, this.users, pieces);
    const { costs } = this.columns;
    this.rows = this.columns.rowsOf(this.size, this.users);
    for (let i = 0; i < this.size; i += 1) {
      const candidate = problem.candidates[i];
      const row = this.rows[i];
      if (!candidate || !row) continue;
      problem.users.fillMs(candidate.ordinal, row);
      toPairCosts(problem, candidate, row);
    }
    this.#known = this.columns.known.fill(0, 0, this.size);
    this.carries = problem.carries;
    this.least = this.columns.least;
    let dearest = 0;
    for (let i = 0; i < this.size; i += 1) {
      let least = Number.POSITIVE_INFINITY;
      for (let n = i * this.users; n < (i + 1) * this.users; n += 1) {
        const cost = costs[n] ?? 0;
        if (cost < least) least = cost;
        if (cost > dearest) dearest = cost;
      }
      this.least[i] = least;
    }
    this.dearest = dearest + 1;
    this.price = this.columns.price;
    for (let i = 0; i < this.size; i += 1) this.price[i] = problem.candidates[i]?.price ?? 0;
  }

  /** What `replicas` more cost at a candidate that has `has`, beside the users' way to it; negative for fewer. */
  siteCost(at: number, has: number, replicas: number): number {
    const sums = this.#sums(at, Math.max(has, has + replicas));
    return (sums[has + replicas] ?? 0) - (sums[has] ?? 0);
  }

  /** What 0, 1, 2, … replicas cost, up to `most` at least. */
  #sums(at: number, most: number): number[] {
    const sums = (this.columns.sums[at] ??= [0]);
    if ((this.#known[at] ?? 0) < most) this.#sumUp(sums, at, most);
    return sums;
  }

  #sumUp(sums: number[], at: number, most: number): void {
    const candidate = this.problem.candidates[at];
    if (!candidate) return;
    for (let n = (this.#known[at] ?? 0) + 1; n <= most; n += 1) {
      sums[n] = (sums[n - 1] ?? 0) + marginalCost(this.problem, candidate, n);
    }
    this.#known[at] = most;
  }

  /** What was served last, of all that is open then: what `moved` begins with. */
  #basis: Flow | undefined;

  /** Whether nothing else was served since. */
  isBasis(flow: Flow | undefined): boolean {
    return flow !== undefined && this.#basis === flow;
  }

  /** The cheapest way to serve all users from the open candidates; undefined when it costs `limit` or more. */
  serve(open: readonly number[], counts: Int32Array, limit = Number.POSITIVE_INFINITY): Flow | undefined {
    if (this.users === 0 || open.length === 0) return undefined;
    const { openRows, capacities } = this.columns;
    openRows.length = open.length;
    for (let n = 0; n < open.length; n += 1) {
      openRows[n] = this.rows[open[n] ?? 0] ?? NO_ROW;
      capacities[n] = (counts[open[n] ?? 0] ?? 0) * this.carries;
    }
    const flow = this.#transport.solve(openRows, capacities, limit);
    this.#basis = limit === Number.POSITIVE_INFINITY ? flow : undefined;
    return flow;
  }

  /**
   * What serving all users would cost after replicas moved between places of the `open` that was served last, or from there
   * to a candidate that has none; Infinity when it is `limit` or more. Before and after, the replicas carry all users.
   */
  moved(open: readonly number[], { from, to, replicas }: Moved, limit: number): number {
    const at = to < 0 ? -1 : open.indexOf(to);
    return this.#transport.shifted(
      {
        from: from < 0 ? -1 : open.indexOf(from),
        to: at,
        row: to >= 0 && at < 0 ? this.rows[to] : undefined,
        amount: replicas * this.carries,
      },
      limit,
    );
  }

  /** Leaves what it worked with to the next search; nothing of it is used any more. */
  release(): void {
    this.#transport.release();
    this.columns.giveBack();
  }
}

const NO_ROW = new Float64Array(0);
