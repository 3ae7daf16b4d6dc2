import type { Placement, Share } from '@skerry/contracts';
import { preparedChecks } from './checks/index.js';
import { replaceDueAt } from './checks/readiness.js';
import { mayReside } from './checks/residency.js';
import { placeGiven } from './given.js';
import { departsAt, roomAt, wantedPart } from './handover.js';
import { lint } from './lint.js';
import type { Decision, PlaceRequest, SiteFacts, Snapshot } from './types.js';

/**
 * What ran at a site that fell silent may still run there. It is replaced, and stays in the placement as a share with `until:
 * returned`, so that the site, whenever it is heard again, finds what it runs still wanted and stops nothing. Then
 * `onSiteLoss.rejoin` says who stays; the others go once those who stay are healthy. Services only: a singleton has one
 * owner, a daemon never left, and of a job or cron a second run is what has to be avoided.
 */

/** How long what a silent site runs is remembered. After that it is replaced for good. */
export const AWAY_KEPT_MS = 7 * 86_400_000;

interface RejoinInput {
  readonly request: PlaceRequest;
  readonly previous: Placement | undefined;
  readonly snapshot: Snapshot;
}

/** Shares that wait for their site to return, and the decision when one has. */
export interface Rejoin {
  readonly away: readonly Share[];
  readonly origin: NonNullable<Placement['origin']>;
  /** Originals are wanted again where they are, and what replaced them is not. */
  readonly back?: Decision;
}

/** Who still waits for a site, and whether one that is back takes up again. `standing`: what is placed is in full, and may stand. */
export function rejoin(input: RejoinInput, standing: boolean): Rejoin {
  const { request, previous, snapshot } = input;
  if (!previous || request.workload.spec.type !== 'service') return NOBODY;
  const used = new Set(previous.shares.map((s) => s.site));
  const sites = new Map(snapshot.sites.flatMap((s) => (used.has(s.name) ? [[s.name, s] as const] : [])));
  const lost = lostNow(input, sites);
  const asked = previous.shares.filter((s) => s.until === 'returned');
  // As it is nearly always.
  if (lost.length === 0 && asked.length === 0) return NOBODY;
  const may = mayReturn(input);
  const waiting = asked.flatMap((share): Waiting[] => {
    const facts = sites.get(share.site);
    if (!facts || !may(facts, share.replicas)) return [];
    return [{ share, facts, returned: facts.state?.phase === 'ready' }];
  });
  const origin = originOf(previous, request);
  const back = standing ? takenUp(waiting, origin, input) : undefined;
  const away = [...waiting.flatMap((one) => goesOn(one, origin, input)), ...lost];
  return { away, origin, ...(back ? { back } : {}) };
}

/** The decision with who waits for a site. What is wanted at the site by now needs no waiting. */
export function withAway(decision: Decision, { away, origin }: Rejoin): Decision & Pick<Placement, 'origin'> {
  const wanted = new Set(decision.shares.map((s) => s.site));
  const waiting = away.filter((s) => !wanted.has(s.site));
  if (waiting.length === 0) return decision;
  return { ...decision, shares: [...decision.shares, ...waiting], origin };
}

interface Waiting {
  readonly share: Share;
  readonly facts: SiteFacts;
  /** The site is ready again. */
  readonly returned: boolean;
}
const NOBODY: Rejoin = { away: [], origin: [] };

/** What ran at a site whose silence has lasted: what was wanted there is placed elsewhere now. */
function lostNow(
  { request, previous, snapshot }: RejoinInput,
  sites: ReadonlyMap<string, SiteFacts>,
): Share[] {
  const { workload, now } = request;
  const shares = (previous?.shares ?? []).filter((s) => s.until !== 'returned');
  const gone = shares.filter(({ site }) => {
    const facts = sites.get(site);
    return facts !== undefined && replaceDueAt(facts, workload) <= now;
  });
  if (gone.length === 0) return [];
  const may = mayReturn({ request, previous, snapshot });
  const wanted = new Map(wantedPart(gone).map((s) => [s.site, s]));
  return gone.flatMap((share) => {
    const facts = sites.get(share.site);
    const { until: _until, surplus: _surplus, ...rest } = wanted.get(share.site) ?? share;
    if (!facts || !may(facts, rest.replicas)) return [];
    const deadline = new Date(now + AWAY_KEPT_MS).toISOString();
    return [
      { ...rest, why: 'if the site returns', demandShare: 0, costPerMonth: 0, until: 'returned', deadline },
    ];
  });
}

/** A share that goes on waiting; with another deadline once its site is back. */
function goesOn(
  one: Waiting,
  origin: NonNullable<Placement['origin']>,
  { request, previous }: RejoinInput,
): Share[] {
  const { share, facts, returned } = one;
  const { workload, now } = request;
  const prefers = workload.spec.placement.onSiteLoss.rejoin !== 'keep-replacement' && !isLeft(facts);
  const healthy = healthyIn(wantedPart(previous?.shares ?? []), request);
  const replaced = healthy >= (previous?.wanted ?? 0);
  const overdue = share.deadline !== undefined && Date.parse(share.deadline) <= now;
  if (!returned) {
    // The last copy may be the one that cannot be seen.
    const original = prefers && origin.some((o) => o.site === share.site);
    const given = original ? overdue && healthy > 0 : replaced;
    return given ? [] : [share];
  }
  // What is healthy and was not taken up is from here on handed over like anything else that is not wanted where it is.
  if ((overdue && healthy > 0) || isWell(one, request)) return [];
  // Until it has said how it fares it may be the only one that is well.
  if (!prefers && replaced) return [];
  const until = Math.min(
    share.deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(share.deadline),
    now + workload.spec.update.healthyDeadlineMs,
  );
  return [{ ...share, deadline: new Date(until).toISOString() }];
}

/** How many were wanted where before. With `keep-newest` nobody is an original any more once the workload was changed. */
function originOf(
  previous: Placement,
  { workload, generationBefore }: PlaceRequest,
): NonNullable<Placement['origin']> {
  const changed = generationBefore !== undefined && generationBefore !== workload.generation;
  if (changed && workload.spec.placement.onSiteLoss.rejoin === 'keep-newest') return [];
  return previous.origin ?? counted(wantedPart(previous.shares));
}

/** The decision that has every original that is back and healthy go on, in place of as many others; no new replica is started. */
function takenUp(
  waiting: readonly Waiting[],
  origin: NonNullable<Placement['origin']>,
  { request, previous, snapshot }: RejoinInput,
): Decision | undefined {
  const { rejoin: policy } = request.workload.spec.placement.onSiteLoss;
  if (policy === 'keep-replacement' || !previous) return undefined;
  const back = waiting.filter((one) => one.returned && !isLeft(one.facts) && isWell(one, request));
  if (back.length === 0) return undefined;
  const given = divided(wantedPart(previous.shares), back, origin, request);
  if (back.every(({ share }) => !given.has(share.site))) return undefined;
  const decision = placeGiven(request, snapshot, given);
  const { healthy: _healthy, ...alone } = request;
  return decision.state === 'placed' && lint(decision, alone, snapshot).length === 0 ? decision : undefined;
}

/** All of its replicas are healthy, or those that are when it is waited for no longer. */
function isWell({ share }: Waiting, { healthy, now }: PlaceRequest): boolean {
  const well = healthy?.get(share.site) ?? 0;
  const overdue = share.deadline !== undefined && Date.parse(share.deadline) <= now;
  return well >= share.replicas || (overdue && well > 0);
}

/** As many replicas as are wanted now: first where they were before, then where they are. */
function divided(
  now: readonly Share[],
  back: readonly Waiting[],
  origin: NonNullable<Placement['origin']>,
  { healthy }: PlaceRequest,
): Map<string, number> {
  const there = new Map(now.map((s) => [s.site, s.replicas]));
  for (const { share } of back)
    there.set(share.site, Math.min(share.replicas, healthy?.get(share.site) ?? 0));
  let left = now.reduce((sum, s) => sum + s.replicas, 0);
  const given = new Map<string, number>();
  const give = (site: string, most: number) => {
    const has = given.get(site) ?? 0;
    const more = Math.min(left, Math.max(0, Math.min(most, there.get(site) ?? 0) - has));
    if (more > 0) given.set(site, has + more);
    left -= more;
  };
  for (const { site, replicas } of origin) give(site, replicas);
  for (const { site, replicas } of now) give(site, replicas);
  return given;
}

/** What runs at a site is to go elsewhere: nobody is preferred there, but the last copy waits for what replaces it. */
function isLeft({ site }: SiteFacts): boolean {
  return site.draining === true || site.membership === 'leaving';
}

/** Whether a share may be left at its site unseen: none where residency forbids it, or that had to be empty by now. */
function mayReturn({ request, snapshot }: RejoinInput): (facts: SiteFacts, replicas: number) => boolean {
  const { workload, refusals, generationBefore, now } = request;
  const changed = generationBefore !== undefined && generationBefore !== workload.generation;
  const limits = changed
    ? preparedChecks(request, snapshot).filter(({ check }) => check.name !== 'readiness')
    : [];
  return (facts, replicas) => {
    const { name, site } = facts;
    const member = site.membership === 'joined' || site.membership === 'leaving';
    const over = site.departure?.kind !== 'drain' && departsAt(facts) <= now;
    if (!member || over || refusals.has(name)) return false;
    if (!mayReside(site, workload.spec.placement.residency)) return false;
    if (roomAt(name, replicas, request, snapshot) < replicas) return false;
    return limits.every(({ limit }) => limit === undefined || limit(facts, replicas) >= replicas);
  };
}

function healthyIn(shares: readonly Share[], { healthy }: PlaceRequest): number {
  return shares.reduce((sum, s) => sum + Math.min(s.replicas, healthy?.get(s.site) ?? 0), 0);
}

function counted(shares: readonly Share[]): NonNullable<Placement['origin']> {
  return shares.map(({ site, replicas }) => ({ site, replicas }));
}
