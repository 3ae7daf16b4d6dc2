import type { CheckResult, SiteExplanation, Term } from '@skerry/contracts';
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
    return this.#order().map((at, n) => this.#said(at, n + 1));
  }

  #said(at: number, rank: number): SiteExplanation {
    const site = this.index.sites[at]?.name ?? '';
    const chosen = this.counts.get(site) ?? 0;
    const checks = this.#checks[at] ?? [];
    const terms = this.#terms[at] ?? [];
    return this.#isFeasible[at] === 1
      ? { site, chosen, feasible: true, rank, checks, terms }
      : { site, chosen, feasible: false, checks, terms };
  }

  /** Numbers are compared and nothing else, as typed arrays do it fast. */
  #order(): number[] {
    const worth = this.#worth;
    const byWorth = (a: number, b: number) => (worth[a] ?? 0) - (worth[b] ?? 0) || a - b;
    const chosen = [...this.counts].flatMap(([site, count]) => {
      const at = count > 0 ? this.index.ordinal(site) : undefined;
      return at === undefined ? [] : [{ at, count, feasible: this.#isFeasible[at] ?? 0 }];
    });
    chosen.sort((a, b) => b.count - a.count || b.feasible - a.feasible || byWorth(a.at, b.at));
    const first = new Set(chosen.map(({ at }) => at));
    const others = [...this.#isFeasible.keys()].filter((at) => !first.has(at));
    const passed = Int32Array.from(others.filter((at) => this.#isFeasible[at] === 1)).sort(byWorth);
    const failed = Int32Array.from(others.filter((at) => this.#isFeasible[at] === 0)).sort(byWorth);
    return [...first, ...passed, ...failed];
  }
}
