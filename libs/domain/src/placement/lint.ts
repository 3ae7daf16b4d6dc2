import type { Decision, PlaceRequest, SiteFacts, Snapshot } from './types.js';
import { budgetOf } from './budget-of.js';
import { preparedChecks } from './checks/index.js';
import { lastCopyGone, wantedPart } from './handover.js';
import { replicaRange } from './replica-range.js';
import { quotasOf } from './search/set-rules.js';
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

/** Each site is named once, and no more is placed than asked for; the state says whether it is all. */
const totals: Invariant = {
  name: 'totals',
  broken({ shares, state, wanted }, { workload }) {
    const most = Math.max(
      wanted,
      workload.spec.type === 'daemon' ? 0 : replicaRange(workload.spec.placement).max,
    );
    const total = shares.reduce((sum, s) => sum + s.replicas, 0);
    // All are placed, and yet some users are farther than they may be.
    const far = state === 'partial' && workload.spec.placement.maxLatencyMs !== undefined;
    const said = total >= wanted && !far ? 'placed' : total > 0 ? 'partial' : 'unplaceable';
    const found: Violation[] = [];
    if (new Set(shares.map((s) => s.site)).size < shares.length) {
      found.push({ invariant: 'totals', detail: 'a site is named twice' });
    }
    if (total > most) found.push({ invariant: 'totals', detail: `${total} placed, ${most} asked for` });
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
const skewHeld: Invariant = {
  name: 'spread',
  broken({ shares }, { workload }, sites) {
    const { spread } = workload.spec.placement;
    if (spread === undefined || spread.targets !== undefined) return [];
    const counts = [...countBy(shares, sites, spread.over).values()];
    const skew = counts.length === 0 ? 0 : Math.max(...counts) - Math.min(...counts);
    const most = spread.maxSkew ?? 1;
    if (skew <= most) return [];
    return [{ invariant: 'spread', detail: `groups differ by ${skew}, at most ${most} allowed` }];
  },
};

/** No group has more than its target share of all replicas, in whole ones. */
const targetsHeld: Invariant = {
  name: 'spread',
  broken({ shares }, { workload }, sites) {
    const { spread } = workload.spec.placement;
    if (spread?.targets === undefined) return [];
    const { targets } = spread;
    const quotas = quotasOf(targets, replicaRange(workload.spec.placement).max);
    const groups = new Map<string, number>();
    for (const [value, n] of countBy(shares, sites, spread.over)) {
      const group = value in targets ? value : '*';
      groups.set(group, (groups.get(group) ?? 0) + n);
    }
    return [...groups].flatMap(([group, n]) => {
      const most = quotas.get(group) ?? 0;
      if (n <= most) return [];
      return [
        { invariant: 'spread', detail: `${n} in ${spread.over} ${group}, at most ${most} by its target` },
      ];
    });
  },
};

/** At most one replica for each value of the label. */
const distinctHeld: Invariant = {
  name: 'distinct',
  broken({ shares }, { workload }, sites) {
    const over = workload.spec.placement.distinct;
    if (over === undefined) return [];
    return [...countBy(shares, sites, over)].flatMap(([value, n]) =>
      n <= 1 ? [] : [{ invariant: 'distinct', detail: `${n} replicas in ${over} ${value}` }],
    );
  },
};

/** After the loss of any one site the replicas elsewhere carry all users. What could not be placed in full says so itself. */
const survives: Invariant = {
  name: 'survive',
  broken({ shares, state }, { workload }) {
    const { placement } = workload.spec;
    if (placement.survive === undefined || state !== 'placed') return [];
    const total = shares.reduce((sum, s) => sum + s.replicas, 0);
    const parts = Math.max(1, replicaRange(placement).min);
    return shares.flatMap(({ site, replicas }) => {
      const carried = ((total - replicas) * placement.traffic.headroom) / parts;
      if (carried >= 1 - 1e-9) return [];
      const detail = `without it ${total - replicas} replicas carry ${(100 * carried).toFixed(0)}% of the users`;
      return [{ invariant: 'survive', site, detail }];
    });
  },
};

function countBy(
  shares: Decision['shares'],
  sites: ReadonlyMap<string, SiteFacts>,
  over: string,
): Map<string, number> {
  const groups = new Map<string, number>();
  for (const { site, replicas } of shares) {
    const facts = sites.get(site);
    const group = facts ? spreadDomain(facts, over) : '';
    groups.set(group, (groups.get(group) ?? 0) + replicas);
  }
  return groups;
}

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
  skewHeld,
  targetsHeld,
  distinctHeld,
  survives,
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
