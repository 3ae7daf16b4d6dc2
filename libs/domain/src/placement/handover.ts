import { workloadKey, type Placement, type Share } from '@skerry/contracts';
import { preparedChecks } from './checks/index.js';
import { mayReside } from './checks/residency.js';
import type { Violation } from './lint.js';
import type { Decision, PlaceRequest, SiteFacts, Snapshot } from './types.js';

/**
 * Make before break: a healthy replica that is not wanted at its site any more stays until what replaces it is healthy. It
 * is then a share with `until`, counted by the ledger like any other, and goes with a later revision of the placement.
 */

interface HandoverInput {
  readonly request: PlaceRequest;
  readonly previous: Placement | undefined;
  readonly snapshot: Snapshot;
}
interface Leaving {
  readonly share: Share;
  /** Healthy replicas there that are not wanted any more. */
  readonly extra: number;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
}

/** What is wanted: without what only stays until it is replaced. */
export function wantedPart(shares: readonly Share[]): Share[] {
  return shares.flatMap(({ until, surplus, deadline: _deadline, ...share }) => {
    if (until === undefined) return [share];
    const replicas = surplus === undefined ? 0 : share.replicas - surplus;
    const each = share.costPerMonth / share.replicas;
    return replicas > 0 ? [{ ...share, replicas, costPerMonth: each * replicas }] : [];
  });
}

/** The decision with what has to stay for now. Only services are handed over: a singleton must never run twice, a job would run again. */
export function withHandover(decision: Decision, input: HandoverInput): Decision {
  const { previous, request } = input;
  if (!previous || previous.shares.length === 0 || request.workload.spec.type !== 'service') return decision;
  const leaving = leavingOf(decision, previous, input);
  if (leaving.length === 0) return decision;
  let last = decision.wanted > 0 && healthyIn(decision.shares, request) === 0;
  let left = Math.max(pendingOf(decision, previous, request), last ? 1 : 0);
  const kept = new Map<string, { replicas: number; leaving: Leaving }>();
  for (const one of leaving) {
    const overdue = one.deadline <= request.now;
    const replicas = Math.min(left, overdue ? (last ? 1 : 0) : one.extra);
    if (replicas <= 0) continue;
    // The last copy outlives its deadline: with it gone nothing would serve.
    last = false;
    left -= replicas;
    kept.set(one.share.site, { replicas, leaving: one });
  }
  return kept.size === 0 ? decision : { ...decision, shares: joined(decision.shares, kept) };
}

/** When something that is kept has to go at the latest, in ms since the epoch; Infinity for nothing. */
export function handoverEndsAt(shares: readonly Pick<Share, 'deadline'>[], now: number): number {
  return shares
    .map((s) => (s.deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(s.deadline)))
    .filter((at) => at > now)
    .reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

/** No last healthy copy is removed before its replacement is healthy, unless it may not stay where it is. */
export function lastCopyGone(decision: Decision, request: PlaceRequest, snapshot: Snapshot): Violation[] {
  const { workload, healthy, present } = request;
  if (!healthy || workload.spec.type !== 'service' || decision.wanted === 0) return [];
  if (decision.shares.some((s) => (healthy.get(s.site) ?? 0) > 0)) return [];
  const stays = stayRule(request, snapshot);
  const gone = snapshot.sites.filter(
    (facts) => (present.get(facts.name) ?? 0) > 0 && (healthy.get(facts.name) ?? 0) > 0 && stays(facts) > 0,
  );
  return gone.map((facts) => ({
    invariant: 'last-copy',
    site: facts.name,
    detail: 'the last healthy copy goes while nothing that replaces it is healthy',
  }));
}

function leavingOf(decision: Decision, previous: Placement, { request, snapshot }: HandoverInput): Leaving[] {
  const wanted = new Map(decision.shares.map((s) => [s.site, s.replicas]));
  const sites = new Map(snapshot.sites.map((s) => [s.name, s]));
  const stays = stayRule(request, snapshot);
  return previous.shares.flatMap((share) => {
    const facts = sites.get(share.site);
    const here = wanted.get(share.site) ?? 0;
    const healthy = Math.min(share.replicas, request.healthy?.get(share.site) ?? 0);
    const extra = Math.min(healthy, facts ? stays(facts) : 0) - here;
    if (extra <= 0) return [];
    return [{ share, extra, deadline: deadlineOf(share, facts, request) }];
  });
}

/**
 * When a replica that is not wanted any more has to go though nothing replaces it, in ms since the epoch. A site that is
 * being emptied says so itself, and without a deadline what fits nowhere else stays: the operator is there to see it.
 */
function deadlineOf(share: Share, facts: SiteFacts | undefined, { workload, now }: PlaceRequest): number {
  if (facts?.site.departure !== undefined) return departsAt(facts);
  return share.deadline === undefined
    ? now + workload.spec.update.healthyDeadlineMs
    : Date.parse(share.deadline);
}

/** When a site is to be empty, in ms since the epoch; Infinity when it need not be. */
export function departsAt({ site: { departure } }: Pick<SiteFacts, 'site'>): number {
  return departure?.deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(departure.deadline);
}

/**
 * How many may stay at a site though they are not wanted there: none at a site that is lost, where residency forbids it,
 * that refused, or that had to be empty by now. A new generation of the workload must pass every check where it stays: its rules may be why it moves.
 */
function stayRule(request: PlaceRequest, snapshot: Snapshot): (facts: SiteFacts) => number {
  const { workload, present, refusals, generationBefore } = request;
  const changed = generationBefore !== undefined && generationBefore !== workload.generation;
  const limits = changed ? preparedChecks(request, snapshot) : [];
  return (facts) => {
    const { name, site, state } = facts;
    const here = present.get(name) ?? 0;
    const alive = state?.phase === 'ready' || state?.phase === 'suspect';
    const member = site.membership === 'joined' || site.membership === 'leaving';
    const driver = state?.capacity.drivers.includes(workload.spec.run.driver) === true;
    if (!alive || !member || !driver || refusals.has(name)) return 0;
    // A drain alone lets the last healthy copy stay.
    if (site.departure?.kind !== 'drain' && departsAt(facts) <= request.now) return 0;
    if (!mayReside(site, workload.spec.placement.residency)) return 0;
    const room = here > 0 ? roomAt(name, here, request, snapshot) : 0;
    return limits.reduce((most, { limit }) => Math.min(most, limit ? limit(facts, here) : most), room);
  };
}

/**
 * How many have room where they are. What was preempted has given its room away; where nothing of a higher priority is, the
 * site has become smaller, and what is healthy there is not what went with its nodes.
 */
export function roomAt(site: string, here: number, { workload }: PlaceRequest, { ledger }: Snapshot): number {
  const { project, name, spec } = workload;
  const room = ledger.fitting(site, spec.resources, here, workloadKey(project, name));
  if (room >= here) return room;
  const others = [...(ledger.holdingsAt?.(site).values() ?? [])];
  return others.some(({ priority = 0 }) => priority > spec.placement.priority) ? room : here;
}

/** Wanted replicas whose coming is awaited: new at their site and not healthy yet, and those for which no site was found. */
function pendingOf(decision: Decision, previous: Placement, request: PlaceRequest): number {
  const before = new Map(previous.shares.map((s) => [s.site, s.replicas]));
  // Once replicas are kept, who of the wanted is new cannot be told from what is placed any more.
  const handing = previous.shares.some((s) => s.until !== undefined);
  let pending = 0;
  let placed = 0;
  for (const { site, replicas } of decision.shares) {
    const missing = Math.max(0, replicas - (request.healthy?.get(site) ?? 0));
    const added = handing ? replicas : Math.max(0, replicas - (before.get(site) ?? 0));
    pending += Math.min(missing, added);
    placed += replicas;
  }
  return pending + Math.max(0, decision.wanted - placed);
}

function healthyIn(shares: readonly Share[], { healthy }: PlaceRequest): number {
  return shares.reduce((sum, s) => sum + Math.min(s.replicas, healthy?.get(s.site) ?? 0), 0);
}

function joined(
  shares: readonly Share[],
  kept: ReadonlyMap<string, { replicas: number; leaving: Leaving }>,
): Share[] {
  const wanted = new Set(shares.map((s) => s.site));
  const grown = shares.map((share) => {
    const more = kept.get(share.site);
    if (!more) return share;
    const { replicas, leaving } = more;
    const each = share.costPerMonth / share.replicas;
    return {
      ...share,
      replicas: share.replicas + replicas,
      costPerMonth: each * (share.replicas + replicas),
      until: 'replaced' as const,
      surplus: replicas,
      ...deadlineText(leaving.deadline),
    };
  });
  const apart = [...kept.values()].filter(({ leaving }) => !wanted.has(leaving.share.site));
  return [...grown, ...apart.map(({ replicas, leaving }) => keptShare(leaving, replicas))];
}

function keptShare({ share, deadline }: Leaving, replicas: number): Share {
  const { surplus: _surplus, deadline: _deadline, ...rest } = share;
  return {
    ...rest,
    replicas,
    why: 'stays until replaced',
    demandShare: 0,
    costPerMonth: (share.costPerMonth / share.replicas) * replicas,
    until: 'replaced',
    ...deadlineText(deadline),
  };
}

function deadlineText(deadline: number): Pick<Share, 'deadline'> {
  return Number.isFinite(deadline) ? { deadline: new Date(deadline).toISOString() } : {};
}
