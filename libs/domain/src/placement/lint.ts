import type { Decision, PlaceRequest, SiteFacts, Snapshot } from './types.js';
import { budgetOf } from './budget-of.js';
import { preparedChecks } from './checks/index.js';
import { lastCopyGone, wantedPart } from './handover.js';
import { spreadDomain } from './checks/spread-label.js';

export interface Violation {
  readonly invariant: string;
  readonly site?: string;
  readonly detail: string;
}

/** Something that every decision must keep; says how one breaks it. */
export interface Invariant {
  readonly name: string;
  broken(
    decision: Decision,
    request: PlaceRequest,
    sites: ReadonlyMap<string, SiteFacts>,
    snapshot: Snapshot,
  ): Violation[];
}

/** No share names a site that is not known. */
const knownSites: Invariant = {
  name: 'known-sites',
  broken: (decision, _request, sites) =>
    decision.shares
      .filter((s) => !sites.has(s.site))
      .map((s) => ({ invariant: 'known-sites', site: s.site, detail: 'no such site' })),
};

/** Each site is named once, and no more is placed than wanted; the state says whether it is all. */
const totals: Invariant = {
  name: 'totals',
  broken({ shares, state, wanted }) {
    const total = shares.reduce((sum, s) => sum + s.replicas, 0);
    const said = total >= wanted ? 'placed' : total > 0 ? 'partial' : 'unplaceable';
    const found: Violation[] = [];
    if (new Set(shares.map((s) => s.site)).size < shares.length) {
      found.push({ invariant: 'totals', detail: 'a site is named twice' });
    }
    if (total > wanted) found.push({ invariant: 'totals', detail: `${total} placed, ${wanted} wanted` });
    if (state !== said)
      found.push({ invariant: 'totals', detail: `${state}, but ${total} of ${wanted} are placed` });
    return found;
  },
};

/** No site holds more than any one check lets it: capacity, residency, readiness, cordon, labels and the rest. */
const checksHold: Invariant = {
  name: 'checks',
  broken({ shares }, request, sites, snapshot) {
    const limits = shares.length === 0 ? [] : preparedChecks(request, snapshot);
    return shares.flatMap(({ site, replicas }) => {
      const facts = sites.get(site);
      if (!facts) return [];
      const present = request.present.get(site) ?? 0;
      return limits
        .filter(({ limit }) => limit && limit(facts, present) < replicas)
        .map(({ check }) => ({
          invariant: check.name,
          site,
          detail: `${replicas} replicas are more than ${check.name} allows`,
        }));
    });
  },
};

/** Groups with a share differ by at most `maxSkew`. Groups without one are judged by the search, which knows who could take more. */
const spreadHeld: Invariant = {
  name: 'spread',
  broken({ shares }, { workload }, sites) {
    const { spread } = workload.spec.placement;
    if (spread === undefined) return [];
    const groups = new Map<string, number>();
    for (const { site, replicas } of shares) {
      const facts = sites.get(site);
      const group = facts ? spreadDomain(facts, spread.over) : '';
      groups.set(group, (groups.get(group) ?? 0) + replicas);
    }
    const counts = [...groups.values()];
    const skew = counts.length === 0 ? 0 : Math.max(...counts) - Math.min(...counts);
    return skew <= (spread.maxSkew ?? 1)
      ? []
      : [{ invariant: 'spread', detail: `groups differ by ${skew}, at most ${spread.maxSkew ?? 1} allowed` }];
  },
};

/** All replicas together cost no more than the budget. */
const budgetHeld: Invariant = {
  name: 'budget',
  broken({ costPerMonth }, request) {
    const budget = budgetOf(request);
    if (costPerMonth <= budget + 1e-6) return [];
    return [
      {
        invariant: 'budget',
        detail: `costs ${costPerMonth.toFixed(2)}, at most ${budget.toFixed(2)} allowed`,
      },
    ];
  },
};

/** No last healthy copy is removed before its replacement is healthy. */
const lastCopy: Invariant = {
  name: 'last-copy',
  broken: (decision, request, _sites, snapshot) => lastCopyGone(decision, request, snapshot),
};

/** The invariants of a plan: run in tests, in simulation, and on every decision before it is committed. */
export const INVARIANTS: readonly Invariant[] = [
  knownSites,
  totals,
  checksHold,
  spreadHeld,
  budgetHeld,
  lastCopy,
];

/** Every invariant that a decision breaks; none for a good one. What only stays until it is replaced is judged by the last alone. */
export function lint(decision: Decision, request: PlaceRequest, snapshot: Snapshot): Violation[] {
  const sites = new Map(snapshot.sites.map((s) => [s.name, s]));
  const kept = decision.shares.some((s) => s.until !== undefined);
  const wanted = kept ? { ...decision, shares: wantedPart(decision.shares) } : decision;
  return INVARIANTS.flatMap((invariant) =>
    invariant.broken(invariant === lastCopy ? decision : wanted, request, sites, snapshot),
  );
}
