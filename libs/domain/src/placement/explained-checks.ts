import type { CheckResult } from '@skerry/contracts';
import { resultOf, type PreparedCheck } from './checks/index.js';
import type { Sifted } from './sift.js';
import type { CheckContext, SiteFacts } from './types.js';

/** A check of which sites have a class each. */
interface ByClass {
  /** Its place among the checks. */
  readonly n: number;
  readonly prepared: PreparedCheck;
  /** By site: the number of its class. */
  readonly of: Uint16Array;
  /** By class: the result where a site without replicas passes; undefined where it fails. */
  readonly results: readonly (CheckResult | undefined)[];
}

/** A check of which every site is asked. */
interface Each {
  readonly n: number;
  readonly prepared: PreparedCheck;
  /** By what the check looked at: results of sites that pass. */
  readonly passing: Map<number, CheckResult>;
}

/** The results of all checks by site; what is the same for many sites is one object. */
export class ExplainedChecks {
  /** Results that are the same at every site without replicas; of the other checks some site's. */
  readonly #same: CheckResult[] = [];
  readonly #byClass: ByClass[] = [];
  readonly #each: Each[] = [];

  constructor(private readonly sifted: Sifted) {
    const [first] = sifted.index.sites;
    for (const [n, prepared] of sifted.checks.entries()) {
      if (!first) break;
      const facet = (prepared.check.shows ?? prepared.check.reads)?.(sifted.request);
      const classes = facet && sifted.index.classes(facet);
      if (!classes) {
        this.#same.push(this.#ask(prepared, first, 0));
        this.#each.push({ n, prepared, passing: new Map() });
        continue;
      }
      const asked = classes.examples.map((facts) => this.#ask(prepared, facts, 0));
      const results = asked.map(shareable);
      this.#same.push(...asked.slice(0, 1));
      if (results.length > 1 || !results[0]) this.#byClass.push({ n, prepared, of: classes.of, results });
    }
  }

  /** In the order of the checks; a new array, of results that may be shared. */
  of(at: number): CheckResult[] {
    const { checks, request, index } = this.sifted;
    const facts = index.sites[at];
    if (!facts) return [];
    // A site that passes them all is not asked again whether it does.
    const passes = (this.sifted.ceiling[at] ?? 0) > 0 ? true : undefined;
    const present = request.present.size === 0 ? 0 : (request.present.get(facts.name) ?? 0);
    if (present > 0) return checks.map((prepared) => this.#ask(prepared, facts, present, passes));
    const results = this.#same.slice();
    for (const { n, prepared, of, results: shared } of this.#byClass) {
      results[n] = shared[of[at] ?? 0] ?? this.#ask(prepared, facts, 0, passes);
    }
    for (const each of this.#each) results[each.n] = this.#askEach(each, facts, at, passes);
    return results;
  }

  #askEach({ prepared, passing }: Each, facts: SiteFacts, at: number, passes: boolean | undefined) {
    const { check } = prepared;
    const limit = this.sifted.limitAt(prepared, at);
    const ok = passes ?? (limit === undefined || limit > 0);
    const { request, snapshot } = this.sifted;
    const context: CheckContext = { facts, request, snapshot, present: 0, limit };
    const alike = ok ? check.alike?.(context) : undefined;
    if (alike === undefined) return resultOf(prepared, context, ok);
    const known = passing.get(alike);
    if (known) return known;
    const result = resultOf(prepared, context, ok);
    passing.set(alike, result);
    return result;
  }

  #ask(prepared: PreparedCheck, facts: SiteFacts, present: number, ok?: boolean): CheckResult {
    const { request, snapshot } = this.sifted;
    return resultOf(prepared, { facts, request, snapshot, present }, ok);
  }
}

/** A failure names the site in what would mend it, so only passing is shared. */
function shareable(result: CheckResult): CheckResult | undefined {
  return result.ok && result.remedy === undefined ? result : undefined;
}
