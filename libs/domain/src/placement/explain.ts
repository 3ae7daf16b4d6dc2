import type { CheckResult, SiteExplanation, Term } from '@skerry/contracts';
import { resultOf, type PreparedCheck } from './checks/index.js';
import { gather } from './choose.js';
import type { Users } from './demand/users.js';
import { problemAmong } from './problem.js';
import { work } from './place.js';
import type { Sifted } from './sift.js';
import { DEMAND_TERMS, SITE_TERMS } from './terms/index.js';
import type { PlaceRequest, Problem, SiteFacts, Snapshot } from './types.js';

/**
 * Says of every site what each check found and, of those that pass, what each term of the objective would be with one
 * replica there that serves all users (of many user locations: as the search gathers them). Best first: the chosen sites,
 * then the feasible ones by their objective alone, then the others by failed checks. `shares`: a decision already made,
 * whose counts are shown in place of those that would be chosen now.
 */
export function explain(
  request: PlaceRequest,
  snapshot: Snapshot,
  shares?: readonly { site: string; replicas: number }[],
): SiteExplanation[] {
  const { problem, chosen, sifted } = work(request, snapshot);
  const counts = new Map(shares?.map((s) => [s.site, s.replicas]));
  if (!shares) {
    for (const i of chosen.choice.open) {
      counts.set(problem.candidates[i]?.facts.name ?? '', chosen.choice.counts[i] ?? 0);
    }
  }
  const checks = new ExplainedChecks(sifted);
  const terms = new TermsAlone(sifted, gather(problem.users));
  const drafts = sifted.index.sites.map((facts, at): Draft => {
    const feasible = (sifted.ceiling[at] ?? 0) > 0;
    const results = checks.of(facts, at);
    const found = feasible ? terms.of(at) : [];
    return {
      name: facts.name,
      chosen: counts.get(facts.name) ?? 0,
      feasible,
      results,
      terms: found,
      cost: found.reduce((sum, t) => sum + t.cost, 0),
      failed: feasible ? 0 : results.reduce((sum, c) => (c.ok ? sum : sum + 1), 0),
    };
  });
  return ranked(drafts);
}

interface Draft {
  readonly name: string;
  readonly chosen: number;
  readonly feasible: boolean;
  readonly results: CheckResult[];
  readonly terms: Term[];
  readonly cost: number;
  readonly failed: number;
}

/** The results of all checks by site; what is the same for many sites is one object. */
class ExplainedChecks {
  /** By check: the number of each site's class, and the result of every class in which a site without replicas passes. */
  readonly #shared: ({ of: Uint16Array; results: (CheckResult | undefined)[] } | undefined)[];

  constructor(private readonly sifted: Sifted) {
    this.#shared = sifted.checks.map((prepared) => {
      const facet = prepared.check.reads?.(sifted.request);
      const classes = facet && !facet.limitOnly ? sifted.index.classes(facet) : undefined;
      return (
        classes && {
          of: classes.of,
          results: classes.examples.map((facts) => this.#passing(prepared, facts)),
        }
      );
    });
  }

  of(facts: SiteFacts, at: number): CheckResult[] {
    const { checks, request } = this.sifted;
    const present = request.present.get(facts.name) ?? 0;
    // A site that passes them all is not asked again whether it does.
    const passes = (this.sifted.ceiling[at] ?? 0) > 0 ? true : undefined;
    return checks.map((prepared, n) => {
      const shared = present > 0 ? undefined : this.#shared[n];
      return shared?.results[shared.of[at] ?? 0] ?? this.#ask(prepared, facts, present, passes);
    });
  }

  /** A failure names the site in what would mend it, so only passing is shared. */
  #passing(prepared: PreparedCheck, facts: SiteFacts): CheckResult | undefined {
    const result = this.#ask(prepared, facts, 0);
    return result.ok && result.remedy === undefined ? result : undefined;
  }

  #ask(prepared: PreparedCheck, facts: SiteFacts, present: number, ok?: boolean): CheckResult {
    const { request, snapshot } = this.sifted;
    return resultOf(prepared, { facts, request, snapshot, present }, ok);
  }
}

/** The terms of the objective with one replica at one site that serves all users. */
class TermsAlone {
  readonly #problem: Problem;
  readonly #ms: Float64Array;
  readonly #last = new Map<string, Term>();

  constructor(
    private readonly sifted: Sifted,
    private readonly users: Users,
  ) {
    this.#problem = problemAmong(sifted, [], users);
    this.#ms = new Float64Array(users.count);
  }

  of(at: number): Term[] {
    const candidate = this.sifted.candidate(at);
    if (!candidate) return [];
    const terms: Term[] = [];
    if (this.users.count > 0) this.users.fillMs(at, this.#ms);
    const { weights } = this.#problem;
    for (const term of DEMAND_TERMS) {
      const value = this.#overUsers(term.ofAll(this.#problem, candidate));
      terms.push(this.#said(term.name, term.unit, value, value * term.weight(weights)));
    }
    for (const term of SITE_TERMS) {
      const value = (term.withoutAny?.(this.#problem) ?? 0) + term.marginal(this.#problem, candidate, 1);
      terms.push(this.#said(term.name, term.unit, value, value * term.weight(weights)));
    }
    return terms;
  }

  /** Most terms are the same at most sites: one object for all of them. */
  #said(term: string, unit: string, value: number, cost: number): Term {
    const last = this.#last.get(term);
    if (last?.value === value) return last;
    const said = { term, value, unit, cost };
    this.#last.set(term, said);
    return said;
  }

  #overUsers(of: number | ((ms: number) => number)): number {
    const { count, weight } = this.users;
    if (count === 0) return 0;
    if (typeof of === 'number') return of;
    let sum = 0;
    for (let p = 0; p < count; p += 1) sum += (weight[p] ?? 0) * of(this.#ms[p] ?? 0);
    return sum;
  }
}

function ranked(drafts: readonly Draft[]): SiteExplanation[] {
  const sorted = drafts.toSorted(
    (a, b) =>
      b.chosen - a.chosen ||
      Number(b.feasible) - Number(a.feasible) ||
      a.cost - b.cost ||
      a.failed - b.failed ||
      (a.name < b.name ? -1 : 1),
  );
  return sorted.map(({ name: site, chosen, feasible, results: checks, terms }, n) =>
    feasible
      ? { site, chosen, feasible, rank: n + 1, checks, terms }
      : { site, chosen, feasible, checks, terms },
  );
}
