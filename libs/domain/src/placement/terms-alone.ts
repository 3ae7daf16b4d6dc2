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
/** Different values of a term that are one object each; of a term with more, every site has its own. */
const SHARED_MAX = 16;

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
  /** By site: the mean round trip, where nothing is measured. */
  readonly #means: Float64Array;
  /** Round trips to one site, when anything but their mean is asked for. */
  readonly #ms: Float64Array;
  /** To which. */
  #msAt = -1;
  /** By term: what was said of sites before, while that is little. */
  readonly #said: (Term[] | undefined)[] = ALL.map(() => []);

  constructor(
    sifted: Sifted,
    private readonly users: Users,
  ) {
    const { sites } = sifted.index;
    this.#problem = problemAmong(sifted, [], users);
    this.#values = new Float64Array(sites.length * ALL.length);
    this.#costs = new Float64Array(sites.length);
    this.#weights = Float64Array.from(ALL, (term) => term.weight(this.#problem.weights));
    this.#places = new Float64Array(4 * users.count);
    for (let p = 0; p < users.count; p += 1) {
      this.#places.set([users.x[p] ?? 0, users.y[p] ?? 0, users.z[p] ?? 0, users.weight[p] ?? 0], 4 * p);
    }
    this.#means = new Float64Array(sites.length);
    this.#ms = new Float64Array(users.count);
    this.#findMeans(sifted.feasible.filter((at) => this.#isEstimated(at)));
    let candidate: Candidate | undefined;
    for (const at of sifted.feasible) {
      const facts = sites[at];
      candidate = candidate && facts ? sifted.write(candidate, facts, at) : sifted.candidate(at);
      if (candidate) this.#work(candidate, at);
    }
  }

  /** The sum of a site's terms in currency units a month; 0 for one that does not pass. */
  cost(at: number): number {
    return this.#costs[at] ?? 0;
  }

  /** In the order of the registry; a new array, of terms that may be shared. */
  of(at: number): Term[] {
    // A copy has room for just so many, where an array that grows has too much.
    const terms = this.#before.slice();
    for (let n = 0; n < ALL.length; n += 1) terms[n] = this.#say(n, this.#values[at * ALL.length + n] ?? 0);
    this.#before = terms;
    return terms;
  }
  #before: Term[] = [];

  #say(n: number, value: number): Term {
    const said = this.#said[n];
    const known = said?.find((term) => term.value === value);
    if (known) return known;
    const { name, unit } = ALL[n] ?? { name: '', unit: '' };
    const made = { term: name, value, unit, cost: value * (this.#weights[n] ?? 0) };
    if (said && said.length < SHARED_MAX) said.push(made);
    else this.#said[n] = undefined;
    return made;
  }

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
    const isEstimated = this.#isEstimated(at);
    if (of === roundTrip && isEstimated) return this.#means[at] ?? 0;
    if (this.#msAt !== at) {
      if (isEstimated) this.#estimate(at);
      else this.users.fillMs(at, this.#ms);
      this.#msAt = at;
    }
    const ms = this.#ms;
    let sum = 0;
    for (let p = 0; p < count; p += 1) sum += (weight[p] ?? 0) * of(ms[p] ?? 0);
    return sum;
  }

  /** Whether nothing is measured, neither from the users nor from the site. */
  #isEstimated(at: number): boolean {
    return !this.users.areMeasured && this.users.index.rttOf(at).length === 0;
  }

  /** The round trips to a site for which nothing is measured. */
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
      this.#ms[p] = rttMsOfSquaredChord(squared(dx, dy, dz));
    }
  }

  /** The means of such, of two sites in one pass over the users: half of the time is in reading where these are. */
  #findMeans(sites: Int32Array): void {
    const { x, y, z } = this.users.index;
    const places = this.#places;
    for (let n = 0; n < sites.length; n += 2) {
      const a = sites[n] ?? 0;
      const b = sites[n + 1] ?? a;
      const [ax, ay, az] = [x[a] ?? 0, y[a] ?? 0, z[a] ?? 0];
      const [bx, by, bz] = [x[b] ?? 0, y[b] ?? 0, z[b] ?? 0];
      let toA = 0;
      let toB = 0;
      for (let p = 0; p < places.length; p += 4) {
        const px = places[p] ?? 0;
        const py = places[p + 1] ?? 0;
        const pz = places[p + 2] ?? 0;
        const share = places[p + 3] ?? 0;
        toA += share * rttMsOfSquaredChord(squared(px - ax, py - ay, pz - az));
        toB += share * rttMsOfSquaredChord(squared(px - bx, py - by, pz - bz));
      }
      this.#means[a] = toA;
      this.#means[b] = toB;
    }
  }
}

function squared(x: number, y: number, z: number): number {
  return x * x + y * y + z * z;
}
