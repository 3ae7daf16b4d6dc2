import type { CheckResult } from '@skerry/contracts';
import { preparedChecks, resultOf, type PreparedCheck } from './checks/index.js';
import { labelFacet } from './checks/facets.js';
import { lacking } from './checks/labels.js';
import { spreadDomain } from './checks/spread-label.js';
import { copiesLacking, preferredCopies, type PreferredCopies } from './preferred-copies.js';
import { pricedParts } from './price.js';
import { CLASSES_MAX, SiteIndex, type SiteClasses } from './site-index.js';
import type { Candidate, Limit, PlaceRequest, SiteFacts, Snapshot } from './types.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const NO_CLASSES = new Uint16Array(0);

/** A site that failed a check, or is held back by one. */
export interface Rejection {
  readonly facts: SiteFacts;
  /** The first check that the site failed. */
  readonly check: string;
  /** Words for it; made only when asked for. */
  readonly result: () => CheckResult;
}

/** A check whose limit is asked for when it matters. */
interface Later {
  /** Its place in `#limiting`. */
  readonly n: number;
  readonly limit: Limit;
  /** By site: what it said; NaN where it was not asked. */
  readonly said: Float64Array;
}

/** What the checks say of every site, by its index in the inventory. */
export class Sifted {
  readonly index: SiteIndex;
  readonly checks: readonly PreparedCheck[];
  /** No less than the most replicas that each site may hold, and 0 where it may hold none; see `ceilingOf`. */
  readonly ceiling: Float64Array;
  /** Sites that may hold at least one, ascending. */
  readonly feasible: Int32Array;
  /** The check that sets the ceiling, by its place in `#limiting`; -1 for none. */
  readonly #boundBy: Int16Array;
  readonly #limiting: readonly PreparedCheck[];
  readonly #key: string;
  /** Checks whose limit is asked for when it matters, and the sites where it was. */
  readonly #later: Later[] = [];
  readonly #asked: Uint8Array;

  constructor(
    readonly request: PlaceRequest,
    readonly snapshot: Snapshot,
  ) {
    this.index = SiteIndex.of(snapshot.sites);
    this.checks = preparedChecks(request, snapshot);
    this.#limiting = this.checks.filter((c) => c.limit);
    this.#key = `${request.workload.project}.${request.workload.name}`;
    const { sites } = this.index;
    this.ceiling = new Float64Array(sites.length).fill(Number.POSITIVE_INFINITY);
    this.#asked = new Uint8Array(sites.length);
    this.#boundBy = new Int16Array(sites.length).fill(-1);
    for (const n of this.#limiting.keys()) this.#lower(n);
    this.feasible = passing(this.ceiling);
  }

  #lower(n: number): void {
    const { check, limit } = this.#limiting[n] ?? {};
    const facet = check?.reads?.(this.request);
    const classes = facet && this.index.classes(facet);
    if (!check || !limit) return;
    const screened = check.screen?.(this.request, this.snapshot, this.index.sites);
    if (screened) this.#screen(n, limit, screened);
    else if (classes) this.#lowerByClass(n, limit, classes);
    else this.#lowerEach(n, limit);
  }

  /** Sites that fail are told at once; of the others, only those that hold something are asked now. */
  #screen(n: number, limit: Limit, screened: Uint8Array): void {
    const { ceiling, request, snapshot, index } = this;
    const said = new Float64Array(ceiling.length).fill(Number.NaN);
    this.#later.push({ n, limit, said });
    const holding = new Set([
      ...request.present.keys(),
      ...snapshot.ledger.heldBy(this.#key).map((h) => h.site),
    ]);
    for (const site of holding) {
      const at = index.ordinal(site);
      const facts = at === undefined ? undefined : index.sites[at];
      if (at === undefined || !facts) continue;
      const most = limit(facts, request.present.get(site) ?? 0);
      screened[at] = most > 0 ? 1 : 0;
      said[at] = most;
    }
    for (let i = 0; i < ceiling.length; i += 1) {
      if (screened[i] === 1 || (ceiling[i] ?? 0) <= 0) continue;
      ceiling[i] = 0;
      this.#boundBy[i] = n;
    }
  }

  /** Asks about every site at once what is otherwise asked when it matters: for who looks at all of them. */
  askAll(): void {
    const { request, snapshot, index } = this;
    for (const { n, said } of this.#later) {
      const all = this.#limiting[n]?.check.limits?.(request, snapshot, index.sites);
      if (!all) continue;
      // Sites that hold something were asked one by one.
      for (let i = 0; i < said.length; i += 1) if (Number.isNaN(said[i])) said[i] = all[i] ?? 0;
    }
    this.#uses = snapshot.ledger.usesOf?.(index.sites, request.workload.spec.resources);
    for (const { site } of this.#uses ? snapshot.ledger.heldBy(this.#key) : []) {
      const at = index.ordinal(site);
      const { taken, perReplica } = snapshot.ledger.use(site, request.workload.spec.resources, this.#key);
      if (at !== undefined) this.#uses?.set([...taken, ...perReplica], 8 * at);
    }
  }
  #uses: Float64Array | undefined;

  /** The most replicas that a site may hold. */
  ceilingOf(site: number): number {
    const facts = this.index.sites[site];
    const before = this.ceiling[site] ?? 0;
    if (!facts || before <= 0 || this.#asked[site] === 1) return before;
    this.#asked[site] = 1;
    let ceiling = before;
    for (const later of this.#later) {
      const { n } = later;
      const most = this.#ask(later, facts, site);
      // In the order of the checks the first of equal limits is the one that binds.
      if (most > ceiling || (most === ceiling && (this.#boundBy[site] ?? -1) <= n)) continue;
      ceiling = most;
      this.#boundBy[site] = n;
    }
    this.ceiling[site] = ceiling;
    return ceiling;
  }

  #ask({ limit, said }: Later, facts: SiteFacts, site: number): number {
    const before = said[site] ?? Number.NaN;
    if (!Number.isNaN(before)) return before;
    const most = limit(facts, this.request.present.get(facts.name) ?? 0);
    said[site] = most;
    return most;
  }

  /** What one check says of a site: the most replicas, or undefined when it limits none. Each site is asked once at most. */
  limitAt({ limit }: PreparedCheck, site: number): number | undefined {
    const facts = this.index.sites[site];
    if (!limit || !facts) return undefined;
    for (const later of this.#later) if (later.limit === limit) return this.#ask(later, facts, site);
    return limit(facts, this.request.present.get(facts.name) ?? 0);
  }

  /** One of each class is asked, and every site that has replicas. */
  #lowerByClass(n: number, limit: Limit, { of, examples }: SiteClasses): void {
    for (let n = 0; n < examples.length; n += 1) {
      const facts = examples[n];
      mostByClass[n] = facts ? limit(facts, 0) : 0;
    }
    const { ceiling } = this;
    const { present } = this.request;
    const own = [...present].map(([name, replicas]) => {
      const at = this.index.ordinal(name) ?? -1;
      const facts = this.index.sites[at];
      return {
        at,
        before: ceiling[at] ?? 0,
        by: this.#boundBy[at] ?? -1,
        most: facts ? limit(facts, replicas) : 0,
      };
    });
    for (let i = 0; i < ceiling.length; i += 1) {
      const limited = mostByClass[of[i] ?? 0] ?? 0;
      if (limited >= (ceiling[i] ?? 0)) continue;
      ceiling[i] = limited;
      this.#boundBy[i] = n;
    }
    for (const site of own) {
      if (site.at < 0) continue;
      ceiling[site.at] = Math.min(site.before, site.most);
      this.#boundBy[site.at] = site.most < site.before ? n : site.by;
    }
  }

  #lowerEach(n: number, limit: Limit): void {
    const { sites } = this.index;
    const { present } = this.request;
    const none = present.size === 0;
    for (let i = 0; i < sites.length; i += 1) {
      const facts = sites[i];
      const before = this.ceiling[i] ?? 0;
      if (!facts || before <= 0) continue;
      const most = limit(facts, none ? 0 : (present.get(facts.name) ?? 0));
      if (most >= before) continue;
      this.ceiling[i] = most;
      this.#boundBy[i] = n;
    }
  }

  /** The check that limits a site, if any does. */
  boundBy(site: number): PreparedCheck | undefined {
    return this.#limiting[this.#boundBy[site] ?? -1];
  }

  /** How many sites failed which check. */
  failedChecks(): Record<string, number> {
    const counts = this.#limiting.map(() => 0);
    for (let i = 0; i < this.ceiling.length; i += 1) {
      const by = this.#boundBy[i] ?? -1;
      if ((this.ceiling[i] ?? 0) <= 0 && by >= 0) counts[by] = (counts[by] ?? 0) + 1;
    }
    return Object.fromEntries(
      this.#limiting.flatMap(({ check }, n) => ((counts[n] ?? 0) > 0 ? [[check.name, counts[n] ?? 0]] : [])),
    );
  }

  /** Some sites that failed, by name. */
  rejections(most: number): Rejection[] {
    const found: Rejection[] = [];
    for (let i = 0; i < this.ceiling.length && found.length < most; i += 1) {
      const facts = this.index.sites[i];
      const by = this.boundBy(i);
      if (!facts || !by || (this.ceiling[i] ?? 0) > 0) continue;
      found.push({ facts, check: by.check.name, result: () => resultOf(by, this.#context(facts)) });
    }
    return found;
  }

  /** A site as the search sees it. */
  candidate(ordinal: number): Candidate | undefined {
    const facts = this.index.sites[ordinal];
    if (!facts) return undefined;
    const { request, snapshot } = this;
    const { resources, placement } = request.workload.spec;
    const use = snapshot.ledger.use(facts.name, resources, this.#key);
    // Written out: a copy of an empty one would be made over at every number put into it.
    return {
      facts,
      ordinal,
      ceiling: this.ceilingOf(ordinal),
      boundBy: this.boundBy(ordinal)?.check.name,
      present: request.present.get(facts.name) ?? 0,
      price: this.#price(ordinal),
      lacks: this.#lacks(facts, ordinal),
      taken: use.taken,
      perReplica: use.perReplica,
      domain: placement.spread === undefined ? facts.name : spreadDomain(facts, placement.spread.over),
      distinct: placement.distinct === undefined ? facts.name : (facts.labels.get(placement.distinct) ?? ''),
    };
  }

  /** As `candidate`, written over one that is not looked at any more. */
  write(into: Writable<Candidate>, facts: SiteFacts, ordinal: number): Candidate {
    const { request } = this;
    const { placement } = request.workload.spec;
    into.facts = facts;
    into.ordinal = ordinal;
    into.ceiling = this.ceilingOf(ordinal);
    into.boundBy = this.boundBy(ordinal)?.check.name;
    into.present = request.present.get(facts.name) ?? 0;
    into.price = this.#price(ordinal);
    into.lacks = this.#lacks(facts, ordinal);
    this.#writeUse(into, facts, ordinal);
    into.domain = placement.spread === undefined ? facts.name : spreadDomain(facts, placement.spread.over);
    into.distinct =
      placement.distinct === undefined ? facts.name : (facts.labels.get(placement.distinct) ?? '');
    return into;
  }

  #writeUse(into: Writable<Candidate>, { name }: SiteFacts, ordinal: number): void {
    const { request, snapshot } = this;
    const uses = this.#uses;
    if (!uses) {
      const use = snapshot.ledger.use(name, request.workload.spec.resources, this.#key);
      into.taken = use.taken;
      into.perReplica = use.perReplica;
      return;
    }
    for (let d = 0; d < 4; d += 1) {
      this.#taken[d] = uses[8 * ordinal + d] ?? 0;
      this.#perReplica[d] = uses[8 * ordinal + 4 + d] ?? 0;
    }
    into.taken = this.#taken;
    into.perReplica = this.#perReplica;
  }
  readonly #taken: [number, number, number, number] = [0, 0, 0, 0];
  readonly #perReplica: [number, number, number, number] = [0, 0, 0, 0];

  /** As `replicaPrice`, by columns. */
  #price(ordinal: number): number {
    this.#paid ??= pricedParts(this.request.workload.spec.resources);
    const paid = this.#paid;
    const { prices } = this.index;
    return (
      paid[0] * (prices[0][ordinal] ?? 0) +
      paid[1] * (prices[1][ordinal] ?? 0) +
      paid[2] * (prices[2][ordinal] ?? 0)
    );
  }
  #paid: ReturnType<typeof pricedParts> | undefined;

  #lacks(facts: SiteFacts, ordinal: number): number {
    const { preferred } = this.request.workload.spec.placement.sites;
    this.#preferred ??= Object.keys(preferred);
    this.#copies ??= preferredCopies(this.request);
    const asked = this.#preferred.length;
    const labels = asked === 0 ? 0 : this.#labelsLacking(facts, ordinal);
    const copies = this.#copies.length;
    if (copies === 0) return labels;
    return (labels * asked + copiesLacking(facts, this.#copies)) / (asked + copies);
  }
  #copies: PreferredCopies | undefined;

  #labelsLacking(facts: SiteFacts, ordinal: number): number {
    const { preferred } = this.request.workload.spec.placement.sites;
    this.#preferred ??= Object.keys(preferred);
    this.#lacking ??= this.#lackingByClass(this.#preferred);
    const { of, lacks } = this.#lacking;
    return lacks[of[ordinal] ?? 0] ?? lacking(facts, preferred).length / this.#preferred.length;
  }
  #preferred: readonly string[] | undefined;
  #lacking: { of: Uint16Array; lacks: readonly number[] } | undefined;

  /** By class of the preferred labels: the fraction lacking; of no class when there are too many. */
  #lackingByClass(asked: readonly string[]) {
    const { preferred } = this.request.workload.spec.placement.sites;
    const classes = this.index.classes(labelFacet(asked));
    const lacks = classes?.examples.map((facts) => lacking(facts, preferred).length / asked.length) ?? [];
    return { of: classes?.of ?? NO_CLASSES, lacks };
  }

  #context(facts: SiteFacts) {
    const { request, snapshot } = this;
    return { facts, request, snapshot, present: request.present.get(facts.name) ?? 0 };
  }
}

/** Written over by each check: the most replicas by class of its facet. */
const mostByClass = new Float64Array(CLASSES_MAX);

/** Written over by each decision. */
let passed = new Int32Array(0);

function passing(ceiling: Float64Array): Int32Array {
  if (passed.length < ceiling.length) passed = new Int32Array(ceiling.length);
  const found = passed;
  let n = 0;
  for (let i = 0; i < ceiling.length; i += 1) {
    if ((ceiling[i] ?? 0) <= 0) continue;
    found[n] = i;
    n += 1;
  }
  return found.slice(0, n);
}
