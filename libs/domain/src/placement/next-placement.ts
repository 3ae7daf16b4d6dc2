import type { NeededDataset, Placement, Share, Workload } from '@skerry/contracts';
import { ownershipEndsAt, replaceDueAt } from './checks/readiness.js';
import { departsAt, handoverEndsAt, wantedPart, withHandover } from './handover.js';
import { placeGiven } from './given.js';
import { lint } from './lint.js';
import { ENGINE, place } from './place.js';
import { ownershipOf, sameOwner } from './ownership.js';
import { preempt } from './preempt.js';
import { rejoin, withAway } from './rejoin.js';
import type { Decision, PlaceRequest, Snapshot } from './types.js';

export interface NextPlacementInput {
  readonly workload: Workload;
  /** What is placed now. */
  readonly previous: Placement | undefined;
  readonly refusals: PlaceRequest['refusals'];
  /** Healthy replicas by site, as reported; of a job, those that have completed. */
  readonly healthy?: PlaceRequest['healthy'];
  /** What the other workloads leave of the project's budget, currency units a month. */
  readonly projectBudgetLeft?: number;
  /** The datasets that it says it uses; absent: none. */
  readonly data?: readonly NeededDataset[];
  readonly snapshot: Snapshot;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The hub's term: it rises when the hub is restored from a backup, and every placement is then said anew. */
  readonly term: number;
  /** What the commit will be conditional on. */
  readonly epoch: number;
  /** Digests of the inputs; asked for only when there is something to commit. */
  readonly inputs: () => Placement['inputs'];
  /** Replicas by site that are given and not chosen, though what is placed may stand: rebalancing. Linted like any decision. */
  readonly given?: ReadonlyMap<string, number>;
}

/**
 * The placement to commit now, or undefined when what is placed stands. A placement in full whose every share still
 * passes every check is not decided again: a better site alone moves nothing (that is what rebalancing is for).
 */
export function nextPlacement(input: NextPlacementInput): Placement | undefined {
  const { workload, previous, term } = input;
  const request = placeRequest(input);
  const current = previous?.version.term === term && previous.version.generation === workload.generation;
  const standing =
    current && input.given === undefined ? standingOf(previous, request, input.snapshot) : undefined;
  if (current && isDone(previous, request, input.snapshot)) return undefined;
  const decision = decide(standing, request, input);
  const ownership = ownershipOf(decision.shares, input);
  if (current && sameDecision(previous, decision) && sameOwnership(previous, ownership)) return undefined;
  return {
    kind: 'Placement',
    project: workload.project,
    name: workload.name,
    // Over generations too: a placement's version never goes back.
    version: { term, generation: workload.generation, revision: (previous?.version.revision ?? 0) + 1 },
    specDigest: workload.specDigest,
    ...decision,
    shares: sinceWhen(decision.shares, ownership, { ...input, previous: current ? previous : undefined }),
    ...ownership,
    inputs: input.inputs(),
    decidedAt: new Date(input.now).toISOString(),
    epoch: input.epoch,
    requestId: workload.requestId,
  };
}

/** A request that knows what is placed now. */
export function placeRequest(
  input: Pick<
    NextPlacementInput,
    'workload' | 'previous' | 'refusals' | 'healthy' | 'projectBudgetLeft' | 'data' | 'now'
  >,
): PlaceRequest {
  const { workload, previous, refusals, healthy, projectBudgetLeft, data, now } = input;
  return {
    workload,
    present: new Map((previous?.shares ?? []).map((s) => [s.site, s.replicas])),
    refusals,
    now,
    ...(healthy ? { healthy } : {}),
    ...(projectBudgetLeft === undefined ? {} : { projectBudgetLeft }),
    ...(data ? { data } : {}),
    ...(previous ? { generationBefore: previous.version.generation } : {}),
  };
}

/**
 * When a placement has to be looked at again though nothing is heard: a site that it uses or waits for is lost and its time has
 * not come, or what is kept until it is replaced has to go. Milliseconds since the epoch, or Infinity.
 */
export function reviewAt(
  workload: Workload,
  shares: readonly Pick<Share, 'site' | 'deadline'>[],
  { sites }: Pick<Snapshot, 'sites'>,
  now: number,
): number {
  const used = new Set(shares.map((s) => s.site));
  return sites
    .filter((facts) => used.has(facts.name))
    .flatMap((facts) => [replaceDueAt(facts, workload), ownershipEndsAt(facts, workload), departsAt(facts)])
    .filter((due) => due > now)
    .reduce((earliest, due) => Math.min(earliest, due), handoverEndsAt(shares, now));
}

/** A job of which every replica is known to have completed is not decided again, whatever becomes of its sites: it would run again. */
function isDone(previous: Placement, { workload, healthy }: PlaceRequest, { sites }: Snapshot): boolean {
  if (workload.spec.type !== 'job' || previous.state !== 'placed') return false;
  const leaving = new Set(sites.filter((s) => s.site.membership !== 'joined').map((s) => s.name));
  return previous.shares.every((s) => (healthy?.get(s.site) ?? 0) >= s.replicas && !leaving.has(s.site));
}

/** What is wanted by the placement there is, when it is in full and every share of it still passes every check. */
function standingOf(previous: Placement, request: PlaceRequest, snapshot: Snapshot): Decision | undefined {
  const { removed, stopped, spec } = request.workload;
  const { type } = spec;
  // Sites may have come that a daemon matches; what it has is kept anyway.
  if (removed || stopped || previous.state !== 'placed' || type === 'daemon') return undefined;
  const wanted: Decision = { ...decisionIn(previous), shares: wantedPart(previous.shares) };
  // What is wanted is judged alone: what has to stay beside it is added anew.
  const { healthy: _healthy, ...alone } = request;
  return lint(wanted, alone, snapshot).length === 0 ? wanted : undefined;
}

/** Of one generation: a site whose share stays as it is has nothing to be told anew, and keeps the revision that it knows. */
function sinceWhen(
  shares: readonly Share[],
  { owner }: Pick<Placement, 'owner'>,
  { previous, refusals }: NextPlacementInput,
): Share[] {
  const before = new Map((previous?.shares ?? []).map((s) => [s.site, s]));
  return shares.map(({ revision: _revision, ...share }) => {
    const there = before.get(share.site);
    // Who owns a singleton is told with its assignment; a site that refused it is asked again.
    const same =
      there?.replicas === share.replicas && !owner && !previous?.owner && !refusals.has(share.site);
    return same ? { ...share, revision: there.revision ?? previous?.version.revision } : share;
  });
}

type Made = Decision & Pick<Placement, 'origin'>;

function decide(
  standing: Decision | undefined,
  request: PlaceRequest,
  { snapshot, previous, given }: NextPlacementInput,
): Made {
  const { removed, stopped } = request.workload;
  if (removed || stopped) return nothing(removed ? 'removed' : 'stopped');
  const returns = rejoin({ request, previous, snapshot }, standing !== undefined);
  const as = returns.back ?? standing;
  const made = given
    ? { decision: placeGiven(request, snapshot, given), snapshot }
    : as
      ? { decision: as, snapshot }
      : placeOrPreempt(request, snapshot);
  const handed = withHandover(made.decision, { request, previous, snapshot: made.snapshot });
  const decision = withAway(handed, returns);
  const broken = lint(decision, request, made.snapshot);
  if (broken.length > 0) {
    const said = broken.map((v) => `${v.invariant}: ${v.site ?? ''} ${v.detail}`).join('; ');
    throw new Error(`decision for ${request.workload.project}/${request.workload.name} breaks ${said}`);
  }
  return decision;
}

/** With the sites as they are for it: once what is preempted has given way. */
function placeOrPreempt(
  request: PlaceRequest,
  snapshot: Snapshot,
): { decision: Decision; snapshot: Snapshot } {
  const decision = place(request, snapshot);
  return preempt(request, snapshot, decision) ?? { decision, snapshot };
}

function nothing(state: 'removed' | 'stopped'): Made {
  const numbers = { wanted: 0, costPerMonth: 0, objective: 0, seed: 0 };
  return { state, shares: [], failedChecks: {}, rejected: [], engine: ENGINE, ...numbers };
}

/** The same sites with the same counts, for the same reasons where some are missing: not worth a new version. */
function sameDecision(a: Placement, b: Decision): boolean {
  return (
    a.state === b.state &&
    a.wanted === b.wanted &&
    a.shares.length === b.shares.length &&
    a.shares.every((s, i) => sameShare(s, b.shares[i])) &&
    sameCounts(a.failedChecks, b.failedChecks)
  );
}

function sameOwnership(a: Placement, b: Pick<Placement, 'owner' | 'after'>): boolean {
  return sameOwner(a.owner, b.owner) && (a.after ?? []).join() === (b.after ?? []).join();
}

function sameShare(a: Share, b: Share | undefined): boolean {
  const same =
    a.site === b?.site && a.replicas === b.replicas && a.until === b.until && a.surplus === b.surplus;
  // Who waits for a site that is back waits until a deadline.
  return same && (a.until !== 'returned' || a.deadline === b?.deadline);
}

/** The parts of a placement that the decision itself made. */
export function decisionIn(placement: Placement): Decision {
  const { state, wanted, shares, latencyMs, costPerMonth, objective } = placement;
  const { runnerUp, failedChecks, rejected, engine, seed } = placement;
  return {
    state,
    wanted,
    shares,
    costPerMonth,
    objective,
    failedChecks,
    rejected,
    engine,
    seed,
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(runnerUp === undefined ? {} : { runnerUp }),
  };
}

function sameCounts(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => a[k] === b[k]);
}
