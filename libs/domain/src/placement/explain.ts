import type { SiteExplanation } from '@skerry/contracts';
import { ascending } from './ascending.js';
import { gather } from './choose.js';
import { ExplainedChecks } from './explained-checks.js';
import { work } from './place.js';
import type { SiteIndex } from './site-index.js';
import { TermsAlone } from './terms-alone.js';
import type { PlaceRequest, Snapshot } from './types.js';

/** A decision already made, whose counts are shown in place of those that would be chosen now. */
type Shares = readonly { readonly site: string; readonly replicas: number }[];

/** `explanation` of every site, best first, all at once. */
export function explain(request: PlaceRequest, snapshot: Snapshot, shares?: Shares): SiteExplanation[] {
  const found = explanation(request, snapshot, shares);
  return Array.from({ length: found.size }, (_, n) => found.ranked(n + 1));
}

/**
 * Says of every site what each check found and, of those that pass, what each term of the objective would be with one
 * replica there that serves all users (of many user locations: as the search gathers them). Best first: the chosen sites,
 * then the feasible ones by their objective alone, then the others by failed checks. What is the same at many sites is one
 * object for all of them: whoever changes an explanation copies it first.
 */
export function explanation(request: PlaceRequest, snapshot: Snapshot, shares?: Shares): Explanation {
  const { problem, chosen, sifted, gathered } = work(request, snapshot);
  const counts = new Map(shares?.map((s) => [s.site, s.replicas]));
  if (!shares) {
    for (const i of chosen.choice.open) {
      counts.set(problem.candidates[i]?.facts.name ?? '', chosen.choice.counts[i] ?? 0);
    }
  }
  sifted.askAll();
  const checks = new ExplainedChecks(sifted);
  const terms = new TermsAlone(sifted, gathered ?? gather(problem.users));
  return new Explanation(sifted.index, counts, checks, terms);
}

/**
 * What is known of every site, best first: all numbers and the order in columns, made at once. The words and objects of a
 * site are made when it is read, so that who shows ten sites of ten thousand pays for ten.
 */
export class Explanation {
  /** Sites by index, best first. */
  readonly #order: Int32Array;
  /** Replicas of those that have any, by index. */
  readonly #chosen = new Map<number, number>();

  constructor(
    private readonly index: SiteIndex,
    counts: ReadonlyMap<string, number>,
    private readonly checks: ExplainedChecks,
    private readonly terms: TermsAlone,
  ) {
    for (const [site, count] of counts) {
      const at = count > 0 ? index.ordinal(site) : undefined;
      if (at !== undefined) this.#chosen.set(at, count);
    }
    this.#order = this.#ranked();
  }

  /** How many sites there are. */
  get size(): number {
    return this.#order.length;
  }

  /** What is said of one site; undefined when there is none of the name. */
  of(site: string): SiteExplanation | undefined {
    const place = this.#order.indexOf(this.index.ordinal(site) ?? -1);
    return place < 0 ? undefined : this.ranked(place + 1);
  }

  /** What is said of the site of a rank, from 1 to `size`. */
  ranked(rank: number): SiteExplanation {
    const at = this.#order[rank - 1] ?? -1;
    const site = this.index.sites[at]?.name ?? '';
    const chosen = this.#chosen.get(at) ?? 0;
    const checks = this.checks.of(at);
    return this.checks.passes(at)
      ? { site, chosen, feasible: true, rank, checks, terms: this.terms.of(at) }
      : { site, chosen, feasible: false, checks, terms: [] };
  }

  #ranked(): Int32Array {
    const order = new Int32Array(this.index.sites.length);
    const worth = new Float64Array(order.length);
    const others = [new Int32Array(order.length), new Int32Array(order.length)] as const;
    const found: [feasible: number, other: number] = [0, 0];
    for (let at = 0; at < order.length; at += 1) {
      const group = this.checks.passes(at) ? 0 : 1;
      worth[at] = group === 0 ? this.terms.cost(at) : this.checks.failed(at);
      if (this.#chosen.has(at)) continue;
      others[group][found[group]] = at;
      found[group] += 1;
    }
    const chosen = this.#byCount(worth);
    order.set(chosen);
    order.set(ascending(worth, others[0].subarray(0, found[0])), chosen.length);
    order.set(ascending(worth, others[1].subarray(0, found[1])), chosen.length + found[0]);
    return order;
  }

  /** Those with replicas, most first. */
  #byCount(worth: Float64Array): number[] {
    const feasible = (at: number) => (this.checks.passes(at) ? 1 : 0);
    const by = ([a, n]: [number, number], [b, m]: [number, number]) =>
      m - n || feasible(b) - feasible(a) || (worth[a] ?? 0) - (worth[b] ?? 0) || a - b;
    return [...this.#chosen].toSorted(by).map(([at]) => at);
  }
}
