import { Transport, type Flow } from '../demand/transport.js';
import { marginalCost, toPairCosts } from '../terms/index.js';
import type { Problem } from '../types.js';

/**
 * A problem as the search works on it: costs by candidate and user location in rows, and what one replica more or less
 * costs at each candidate, kept in step with the counts.
 */
export class Space {
  readonly size: number;
  readonly users: number;
  readonly weight: Float64Array;
  readonly rows: readonly Float64Array[];
  readonly carries: number;
  readonly price: Float64Array;
  /** By candidate: what the user nearest to it costs. */
  readonly least: Float64Array;
  /** More than any user costs anywhere. */
  readonly dearest: number;
  readonly #siteCosts: number[][] = [];
  readonly #transport: Transport;

  constructor(readonly problem: Problem) {
    this.size = problem.candidates.length;
    this.users = problem.users.count;
    this.weight = problem.users.weight;
    this.#transport = new Transport(this.weight);
    // One array for all: thousands of small ones would cost more than what is in them.
    const costs = new Float64Array(this.size * this.users);
    this.rows = problem.candidates.map((c, i) => {
      const row = costs.subarray(i * this.users, (i + 1) * this.users);
      problem.users.fillMs(c.ordinal, row);
      toPairCosts(problem, c, row);
      return row;
    });
    this.carries = problem.carries;
    this.least = new Float64Array(this.size);
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
    this.price = Float64Array.from(problem.candidates, (c) => c.price);
  }

  /** What `replicas` more cost at a candidate that has `has`, beside the users' way to it; negative for fewer. */
  siteCost(at: number, has: number, replicas: number): number {
    const sums = this.#sums(at, Math.max(has, has + replicas));
    return (sums[has + replicas] ?? 0) - (sums[has] ?? 0);
  }

  /** What 0, 1, 2, … replicas cost, up to `most` at least. */
  #sums(at: number, most: number): number[] {
    const sums = (this.#siteCosts[at] ??= [0]);
    const candidate = this.problem.candidates[at];
    if (!candidate) return sums;
    for (let n = sums.length; n <= most; n += 1) {
      sums.push((sums[n - 1] ?? 0) + marginalCost(this.problem, candidate, n));
    }
    return sums;
  }

  /** The cheapest way to serve all users from the open candidates; undefined when it costs `limit` or more. */
  serve(open: readonly number[], counts: Int32Array, limit = Number.POSITIVE_INFINITY): Flow | undefined {
    if (this.users === 0 || open.length === 0) return undefined;
    const rows: Float64Array[] = [];
    const capacities = new Float64Array(open.length);
    for (let n = 0; n < open.length; n += 1) {
      const row = this.rows[open[n] ?? 0];
      if (row) rows.push(row);
      capacities[n] = (counts[open[n] ?? 0] ?? 0) * this.carries;
    }
    return this.#transport.solve(rows, capacities, limit);
  }
}
