import type { Term } from '@skerry/contracts';
import type { Users } from './demand/users.js';
import { rttMsOfSquaredChord } from './geo.js';
import { problemAmong } from './problem.js';
import type { Sifted } from './sift.js';
import { DEMAND_TERMS, SITE_TERMS } from './terms/index.js';
import { roundTrip } from './terms/latency.js';
import type { Candidate, Problem } from './types.js';

/** In the order of the registry. */
const ALL = [...DEMAND_TERMS, ...SITE_TERMS];

/** The terms of the objective with one replica at one site that serves all users: of every site that passes, in columns. */
export class TermsAlone {
  readonly #problem: Problem;
  /** By site and then by term. */
  readonly #values: Float64Array;
  readonly #costs: Float64Array;
  /** Currency units a month of one unit of each term. */
  readonly #weights: Float64Array;
  /** By user location: where it is, and its share of the demand. Side by side, as they are read for every site. */
  readonly #places: Float64Array;
  /** Round trips to one site, when anything but their mean is asked for. */
  readonly #ms: Float64Array;
  /** To which. */
  #msAt = -1;

  constructor(
    sifted: Sifted,
    private readonly users: Users,
  ) {
    this.#problem = problemAmong(sifted, [], users);
    this.#values = new Float64Array(sifted.index.sites.length * ALL.length);
    this.#costs = new Float64Array(sifted.index.sites.length);
    this.#weights = Float64Array.from(ALL, (term) => term.weight(this.#problem.weights));
    this.#ms = new Float64Array(users.count);
    this.#places = new Float64Array(4 * users.count);
    for (let p = 0; p < users.count; p += 1) {
      this.#places.set([users.x[p] ?? 0, users.y[p] ?? 0, users.z[p] ?? 0, users.weight[p] ?? 0], 4 * p);
    }
    let candidate: Candidate | undefined;
    for (const at of sifted.feasible) {
      const facts = sifted.index.sites[at];
      candidate = candidate && facts ? sifted.write(candidate, facts, at) : sifted.candidate(at);
      if (candidate) this.#work(candidate, at);
    }
  }

  /** The sum of a site's terms in currency units a month; 0 for one that does not pass. */
  cost(at: number): number {
    return this.#costs[at] ?? 0;
  }

  /** In the order of the registry. */
  of(at: number): Term[] {
    // A list of all of them has room for just so many, where one that grows has too much.
    const terms = this.#empty.slice();
    for (let n = 0; n < ALL.length; n += 1) {
      const { name, unit } = ALL[n] ?? NO_TERM;
      const value = this.#values[at * ALL.length + n] ?? 0;
      terms[n] = { term: name, value, unit, cost: value * (this.#weights[n] ?? 0) };
    }
    return terms;
  }
  readonly #empty: Term[] = ALL.map(({ name, unit }) => ({ term: name, value: 0, unit, cost: 0 }));

  #work(candidate: Candidate, at: number): void {
    const problem = this.#problem;
    const first = at * ALL.length;
    let n = 0;
    for (const term of DEMAND_TERMS) {
      this.#values[first + n] = this.#overUsers(term.ofAll(problem, candidate), at);
      n += 1;
    }
    for (const term of SITE_TERMS) {
      this.#values[first + n] = (term.withoutAny?.(problem) ?? 0) + term.marginal(problem, candidate, 1);
      n += 1;
    }
    let cost = 0;
    for (let t = 0; t < n; t += 1) cost += (this.#values[first + t] ?? 0) * (this.#weights[t] ?? 0);
    this.#costs[at] = cost;
  }

  #overUsers(of: number | ((ms: number) => number), at: number): number {
    const { count, weight } = this.users;
    if (count === 0) return 0;
    if (typeof of === 'number') return of;
    const estimated = !this.users.areMeasured && this.users.index.rttOf(at).length === 0;
    if (of === roundTrip && estimated) return this.#estimatedMean(at);
    if (this.#msAt !== at) {
      if (estimated) this.#estimate(at);
      else this.users.fillMs(at, this.#ms);
      this.#msAt = at;
    }
    const ms = this.#ms;
    let sum = 0;
    for (let p = 0; p < count; p += 1) sum += (weight[p] ?? 0) * of(ms[p] ?? 0);
    return sum;
  }

  /** Round trips where nothing is measured, neither from the users nor from the site. */
  #estimate(at: number): void {
    const { index, count } = this.users;
    const places = this.#places;
    const x = index.x[at] ?? 0;
    const y = index.y[at] ?? 0;
    const z = index.z[at] ?? 0;
    for (let p = 0; p < count; p += 1) {
      const dx = (places[4 * p] ?? 0) - x;
      const dy = (places[4 * p + 1] ?? 0) - y;
      const dz = (places[4 * p + 2] ?? 0) - z;
      this.#ms[p] = rttMsOfSquaredChord(dx * dx + dy * dy + dz * dz);
    }
  }

  /** The mean of what `#estimate` would fill in, without filling it in. */
  #estimatedMean(at: number): number {
    const { index } = this.users;
    const places = this.#places;
    const x = index.x[at] ?? 0;
    const y = index.y[at] ?? 0;
    const z = index.z[at] ?? 0;
    let sum = 0;
    for (let p = 0; p < places.length; p += 4) {
      const dx = (places[p] ?? 0) - x;
      const dy = (places[p + 1] ?? 0) - y;
      const dz = (places[p + 2] ?? 0) - z;
      sum += (places[p + 3] ?? 0) * rttMsOfSquaredChord(dx * dx + dy * dy + dz * dz);
    }
    return sum;
  }
}

const NO_TERM = { name: '', unit: '' };
