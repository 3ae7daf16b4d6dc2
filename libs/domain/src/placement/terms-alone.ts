import type { Term } from '@skerry/contracts';
import type { Users } from './demand/users.js';
import { rttMsOfSquaredChord } from './geo.js';
import { problemAmong } from './problem.js';
import type { Sifted } from './sift.js';
import { DEMAND_TERMS, SITE_TERMS } from './terms/index.js';
import { roundTrip } from './terms/latency.js';
import type { Candidate, Problem } from './types.js';

/** Different values of one term that are told apart to share them; with more, most sites have their own. */
const SHARED_MAX = 256;

/** The terms of the objective with one replica at one site that serves all users. */
export class TermsAlone {
  readonly #problem: Problem;
  readonly #ms: Float64Array;
  /** By term: what was said of sites before. */
  readonly #said: readonly Map<number, Term>[] = [...DEMAND_TERMS, ...SITE_TERMS].map(() => new Map());

  constructor(
    private readonly sifted: Sifted,
    private readonly users: Users,
  ) {
    this.#problem = problemAmong(sifted, [], users);
    this.#ms = new Float64Array(users.count);
  }

  /** In the order of the registry; a new array, of terms that may be shared. */
  of(at: number): Term[] {
    const facts = this.sifted.index.sites[at];
    if (!facts) return [];
    this.#candidate = this.#candidate
      ? this.sifted.write(this.#candidate, facts, at)
      : this.sifted.candidate(at);
    const candidate = this.#candidate;
    if (!candidate) return [];
    this.#fillMs(at);
    const problem = this.#problem;
    // A copy has room for all of them at once, where one that grows has too much.
    const terms = this.#before.slice();
    let n = 0;
    for (const term of DEMAND_TERMS) {
      const value = this.#overUsers(term.ofAll(problem, candidate));
      terms[n] = this.#say(n, term.name, term.unit, value, value * term.weight(problem.weights));
      n += 1;
    }
    for (const term of SITE_TERMS) {
      const value = (term.withoutAny?.(problem) ?? 0) + term.marginal(problem, candidate, 1);
      terms[n] = this.#say(n, term.name, term.unit, value, value * term.weight(problem.weights));
      n += 1;
    }
    this.#before = terms;
    return terms;
  }
  #before: Term[] = [];
  #candidate: Candidate | undefined;

  /** Many terms are the same at many sites: one object for all of them. */
  #say(n: number, term: string, unit: string, value: number, cost: number): Term {
    const said = this.#said[n];
    const known = said?.get(value);
    if (known) return known;
    const made = { term, value, unit, cost };
    if (said && said.size < SHARED_MAX) said.set(value, made);
    return made;
  }

  #overUsers(of: number | ((ms: number) => number)): number {
    const { count, weight } = this.users;
    if (count === 0) return 0;
    if (typeof of === 'number') return of;
    if (of === roundTrip) return this.#mean;
    const ms = this.#ms;
    let sum = 0;
    for (let p = 0; p < count; p += 1) sum += (weight[p] ?? 0) * of(ms[p] ?? 0);
    return sum;
  }

  /** Round trips to a site, and their mean. */
  #fillMs(at: number): void {
    const { users } = this;
    if (users.areMeasured || users.index.rttOf(at).length > 0) {
      users.fillMs(at, this.#ms);
      this.#mean = this.#meanMs();
    } else {
      this.#mean = this.#estimate(at);
    }
  }
  #mean = 0;

  #meanMs(): number {
    const { count, weight } = this.users;
    let sum = 0;
    for (let p = 0; p < count; p += 1) sum += (weight[p] ?? 0) * (this.#ms[p] ?? 0);
    return sum;
  }

  /** What is measured neither from the users nor from the site, without a look at who measured what. */
  #estimate(at: number): number {
    const { index, count, weight, x, y, z } = this.users;
    const ms = this.#ms;
    const sx = index.x[at] ?? 0;
    const sy = index.y[at] ?? 0;
    const sz = index.z[at] ?? 0;
    let sum = 0;
    for (let p = 0; p < count; p += 1) {
      const dx = (x[p] ?? 0) - sx;
      const dy = (y[p] ?? 0) - sy;
      const dz = (z[p] ?? 0) - sz;
      const way = rttMsOfSquaredChord(dx * dx + dy * dy + dz * dz);
      ms[p] = way;
      sum += (weight[p] ?? 0) * way;
    }
    return sum;
  }
}
