import type { CheckResult } from '@skerry/contracts';
import { resultOf, type PreparedCheck } from './checks/index.js';
import type { Sifted } from './sift.js';
import type { SiteFacts } from './types.js';

/** A check of which sites have a class each. */
interface ByClass {
  /** Its place among the checks. */
  readonly n: number;
  readonly prepared: PreparedCheck;
  /** By site: the number of its class. */
  readonly of: Uint16Array;
  /** By class: what is said of a site without replicas. */
  readonly results: readonly Said[];
}

/** What is said of the sites of one class: the same, but for the site's name in what would mend it. */
interface Said {
  readonly result: CheckResult;
  /** Where the name goes between; absent when it is named nowhere. */
  readonly remedy?: readonly string[];
}

/** No site has this name. */
const NAME = '\u0000';

/** A check of which every site is asked. */
interface Each {
  readonly n: number;
  readonly prepared: PreparedCheck;
  /** By what the check looked at: results of sites that pass. */
  readonly passing: Map<number, CheckResult>;
}

/** The results of all checks: by class and by number of every site; the words of a site are made when it is read. */
export class ExplainedChecks {
  /** Results that are the same at every site without replicas; of the other checks some site's. */
  readonly #same: CheckResult[] = [];
  readonly #byClass: ByClass[] = [];
  readonly #each: Each[] = [];
  /** Checks that every site without replicas fails. */
  #failedByAll = 0;

  constructor(private readonly sifted: Sifted) {
    const [first] = sifted.index.sites;
    for (const [n, prepared] of sifted.checks.entries()) {
      if (!first) break;
      const { check } = prepared;
      const facet = check.shows?.(sifted.request) ?? check.reads?.(sifted.request);
      const classes = facet && sifted.index.classes(facet);
      if (!classes) {
        this.#same.push(this.#ask(prepared, first, 0));
        this.#each.push({ n, prepared, passing: new Map() });
        continue;
      }
      const results = classes.examples.map((facts) => this.#saidOf(prepared, facts));
      this.#same.push(...results.slice(0, 1).map(({ result }) => result));
      if (results.length > 1 || results[0]?.remedy)
        this.#byClass.push({ n, prepared, of: classes.of, results });
      else if (results[0]?.result.ok === false) this.#failedByAll += 1;
    }
  }

  /** Whether a site passes all of them. */
  passes(at: number): boolean {
    return (this.sifted.ceiling[at] ?? 0) > 0;
  }

  /** How many checks a site fails. */
  failed(at: number): number {
    const facts = this.sifted.index.sites[at];
    const present = facts ? this.#presentAt(facts) : 0;
    if (present > 0) return this.of(at).reduce((sum, { ok }) => sum + (ok ? 0 : 1), 0);
    let failed = this.#failedByAll;
    for (const { of, results } of this.#byClass) if (results[of[at] ?? 0]?.result.ok === false) failed += 1;
    for (const { prepared } of this.#each) if ((this.sifted.limitAt(prepared, at) ?? 1) <= 0) failed += 1;
    return failed;
  }

  /** In the order of the checks; a new array, of results that may be shared. */
  of(at: number): CheckResult[] {
    const { checks, index } = this.sifted;
    const facts = index.sites[at];
    if (!facts) return [];
    // A site that passes them all is not asked again whether it does.
    const passes = this.passes(at) ? true : undefined;
    const present = this.#presentAt(facts);
    if (present > 0) return checks.map((prepared) => this.#ask(prepared, facts, present, passes));
    const results = this.#same.slice();
    for (const { n, prepared, of, results: shared } of this.#byClass) {
      const said = shared[of[at] ?? 0];
      results[n] = said ? named(said, facts) : this.#ask(prepared, facts, 0);
    }
    for (const each of this.#each) results[each.n] = this.#askEach(each, facts, at, passes);
    return results;
  }

  #presentAt({ name }: SiteFacts): number {
    const { present } = this.sifted.request;
    return present.size === 0 ? 0 : (present.get(name) ?? 0);
  }

  #askEach({ prepared, passing }: Each, facts: SiteFacts, at: number, passes: boolean | undefined) {
    const { check } = prepared;
    const limit = this.sifted.limitAt(prepared, at);
    const ok = passes ?? (limit === undefined || limit > 0);
    const alike = ok && limit !== undefined ? check.alike?.(facts, limit) : undefined;
    const known = alike === undefined ? undefined : passing.get(alike);
    if (known) return known;
    const { request, snapshot } = this.sifted;
    const result = resultOf(prepared, { facts, request, snapshot, present: 0, limit }, ok);
    if (alike !== undefined) passing.set(alike, result);
    return result;
  }

  #saidOf(prepared: PreparedCheck, facts: SiteFacts): Said {
    const result = this.#ask(prepared, facts, 0);
    const nameless = { ...facts, name: NAME, site: { ...facts.site, name: NAME } };
    if (result.remedy === undefined) return { result };
    const remedy = this.#ask(prepared, nameless, 0, result.ok).remedy?.split(NAME) ?? [];
    return remedy.length > 1 ? { result, remedy } : { result };
  }

  #ask(prepared: PreparedCheck, facts: SiteFacts, present: number, ok?: boolean): CheckResult {
    const { request, snapshot } = this.sifted;
    return resultOf(prepared, { facts, request, snapshot, present }, ok);
  }
}

function named({ result, remedy }: Said, { name }: SiteFacts): CheckResult {
  if (!remedy) return result;
  const { check, ok, has, needs } = result;
  return { check, ok, has, needs, remedy: remedy.join(name) };
}
