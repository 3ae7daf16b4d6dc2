import type { CheckResult, SiteExplanation, Term } from '@skerry/contracts';
import { ascending } from './ascending.js';
import { gather } from './choose.js';
import { ExplainedChecks } from './explained-checks.js';
import { work } from './place.js';
import type { SiteIndex } from './site-index.js';
import { TermsAlone } from './terms-alone.js';
import type { PlaceRequest, Snapshot } from './types.js';

/**
 * Says of every site what each check found and, of those that pass, what each term of the objective would be with one
 * replica there that serves all users (of many user locations: as the search gathers them). Best first: the chosen sites,
 * then the feasible ones by their objective alone, then the others by failed checks. `shares`: a decision already made,
 * whose counts are shown in place of those that would be chosen now. What is the same at many sites is one object for all
 * of them: whoever changes an explanation copies it first.
 */
export function explain(
  request: PlaceRequest,
  snapshot: Snapshot,
  shares?: readonly { site: string; replicas: number }[],
): SiteExplanation[] {
  const { problem, chosen, sifted, gathered } = work(request, snapshot);
  const counts = new Map(shares?.map((s) => [s.site, s.replicas]));
  if (!shares) {
    for (const i of chosen.choice.open) {
      counts.set(problem.candidates[i]?.facts.name ?? '', chosen.choice.counts[i] ?? 0);
    }
  }
  const checks = new ExplainedChecks(sifted);
  const terms = new TermsAlone(sifted, gathered ?? gather(problem.users));
  const found = new Found(sifted.index, counts);
  for (let at = 0; at < sifted.ceiling.length; at += 1) {
    if ((sifted.ceiling[at] ?? 0) > 0) found.feasible(at, checks.of(at), terms.of(at));
    else found.infeasible(at, checks.of(at));
  }
  return found.ranked();
}

const NO_TERMS: Term[] = [];

/** What was found of each site, in columns by its index, which is in order of name. */
class Found {
  readonly #checks: CheckResult[][] = [];
  readonly #terms: Term[][] = [];
  /** Of a feasible site the sum of its terms; of another the number of checks that it fails. */
  readonly #worth: Float64Array;
  readonly #isFeasible: Uint8Array;

  constructor(
    private readonly index: SiteIndex,
    private readonly counts: ReadonlyMap<string, number>,
  ) {
    this.#worth = new Float64Array(index.sites.length);
    this.#isFeasible = new Uint8Array(index.sites.length);
  }

  feasible(at: number, checks: CheckResult[], terms: Term[]): void {
    let cost = 0;
    for (const term of terms) cost += term.cost;
    this.#isFeasible[at] = 1;
    this.#worth[at] = cost;
    this.#checks.push(checks);
    this.#terms.push(terms);
  }

  infeasible(at: number, checks: CheckResult[]): void {
    let failed = 0;
    for (const check of checks) if (!check.ok) failed += 1;
    this.#worth[at] = failed;
    this.#checks.push(checks);
    this.#terms.push(NO_TERMS);
  }

  ranked(): SiteExplanation[] {
    const said: SiteExplanation[] = [];
    const chosen = this.#chosen();
    for (const { at, count } of chosen) said.push(this.#said(at, said.length + 1, count));
    const told = new Set(chosen.map(({ at }) => at));
    for (const feasible of [1, 0]) {
      const others = ascending(this.#worth, this.#others(feasible, told));
      for (let n = 0; n < others.length; n += 1) said.push(this.#said(others[n] ?? 0, said.length + 1, 0));
    }
    return said;
  }

  #said(at: number, rank: number, chosen: number): SiteExplanation {
    const site = this.index.sites[at]?.name ?? '';
    const checks = this.#checks[at] ?? [];
    const terms = this.#terms[at] ?? [];
    return this.#isFeasible[at] === 1
      ? { site, chosen, feasible: true, rank, checks, terms }
      : { site, chosen, feasible: false, checks, terms };
  }

  /** Those with replicas, most first. */
  #chosen(): { at: number; count: number }[] {
    const chosen = [...this.counts].flatMap(([site, count]) => {
      const at = count > 0 ? this.index.ordinal(site) : undefined;
      if (at === undefined) return [];
      return [{ at, count, feasible: this.#isFeasible[at] ?? 0, worth: this.#worth[at] ?? 0 }];
    });
    return chosen.toSorted(
      (a, b) => b.count - a.count || b.feasible - a.feasible || a.worth - b.worth || a.at - b.at,
    );
  }

  #others(feasible: number, chosen: ReadonlySet<number>): Int32Array {
    const found = new Int32Array(this.#worth.length);
    let n = 0;
    for (let at = 0; at < found.length; at += 1) {
      if (this.#isFeasible[at] !== feasible || chosen.has(at)) continue;
      found[n] = at;
      n += 1;
    }
    return found.subarray(0, n);
  }
}
