import type { Placement, Share, Workload } from '@skerry/contracts';
import { replaceDueAt } from './checks/readiness.js';
import { lint } from './lint.js';
import { ENGINE, place } from './place.js';
import type { Decision, PlaceRequest, Snapshot } from './types.js';

export interface NextPlacementInput {
  readonly workload: Workload;
  /** What is placed now. */
  readonly previous: Placement | undefined;
  readonly refusals: PlaceRequest['refusals'];
  readonly snapshot: Snapshot;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The hub's term: it rises when the hub is restored from a backup, and every placement is then said anew. */
  readonly term: number;
  /** What the commit will be conditional on. */
  readonly epoch: number;
  /** Digests of the inputs; asked for only when there is something to commit. */
  readonly inputs: () => Placement['inputs'];
}

/**
 * The placement to commit now, or undefined when what is placed stands. A placement in full whose every share still
 * passes every check is not decided again: a better site alone moves nothing (that is what rebalancing is for).
 */
export function nextPlacement(input: NextPlacementInput): Placement | undefined {
  const { workload, previous, term } = input;
  const request = placeRequest(input);
  const current = previous?.version.term === term && previous.version.generation === workload.generation;
  if (current && settled(previous, request, input.snapshot)) return undefined;
  const decision = decide(request, input.snapshot);
  if (current && sameDecision(previous, decision)) return undefined;
  return {
    kind: 'Placement',
    project: workload.project,
    name: workload.name,
    // Over generations too: a placement's version never goes back.
    version: { term, generation: workload.generation, revision: (previous?.version.revision ?? 0) + 1 },
    specDigest: workload.specDigest,
    ...decision,
    inputs: input.inputs(),
    decidedAt: new Date(input.now).toISOString(),
    epoch: input.epoch,
    requestId: workload.requestId,
  };
}

/** A request that knows what is placed now. */
export function placeRequest(
  input: Pick<NextPlacementInput, 'workload' | 'previous' | 'refusals' | 'now'>,
): PlaceRequest {
  const present = new Map((input.previous?.shares ?? []).map((s) => [s.site, s.replicas]));
  return { workload: input.workload, present, refusals: input.refusals, now: input.now };
}

/**
 * When a placement has to be looked at again though nothing is heard: a site that it uses is lost and its time has not
 * come. Milliseconds since the epoch, or Infinity.
 */
export function reviewAt(
  workload: Workload,
  shares: readonly Pick<Share, 'site'>[],
  { sites }: Pick<Snapshot, 'sites'>,
  now: number,
): number {
  const used = new Set(shares.map((s) => s.site));
  return sites
    .filter((facts) => used.has(facts.name))
    .map((facts) => replaceDueAt(facts, workload))
    .filter((due) => due > now)
    .reduce((earliest, due) => Math.min(earliest, due), Number.POSITIVE_INFINITY);
}

function settled(previous: Placement, request: PlaceRequest, snapshot: Snapshot): boolean {
  const { removed, stopped } = request.workload;
  if (removed) return previous.state === 'removed';
  if (stopped) return previous.state === 'stopped';
  return previous.state === 'placed' && lint(previous, request, snapshot).length === 0;
}

function decide(request: PlaceRequest, snapshot: Snapshot): Decision {
  const { removed, stopped } = request.workload;
  if (removed || stopped) return nothing(removed ? 'removed' : 'stopped');
  const decision = place(request, snapshot);
  const broken = lint(decision, request, snapshot);
  if (broken.length > 0) {
    const said = broken.map((v) => `${v.invariant}: ${v.site ?? ''} ${v.detail}`).join('; ');
    throw new Error(`decision for ${request.workload.project}/${request.workload.name} breaks ${said}`);
  }
  return decision;
}

function nothing(state: 'removed' | 'stopped'): Decision {
  const numbers = { wanted: 0, costPerMonth: 0, objective: 0, seed: 0 };
  return { state, shares: [], failedChecks: {}, rejected: [], engine: ENGINE, ...numbers };
}

/** The same sites with the same counts, for the same reasons where some are missing: not worth a new version. */
function sameDecision(a: Placement, b: Decision): boolean {
  return (
    a.state === b.state &&
    a.wanted === b.wanted &&
    a.shares.length === b.shares.length &&
    a.shares.every((s, i) => s.site === b.shares[i]?.site && s.replicas === b.shares[i]?.replicas) &&
    sameCounts(a.failedChecks, b.failedChecks)
  );
}

function sameCounts(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => a[k] === b[k]);
}
