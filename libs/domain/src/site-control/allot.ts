import type { Allotment, Assignment, CheckResult } from '@skerry/contracts';
import { eachNeedOf, type EachNeed, type NodeLedger } from './node-ledger.js';

/** How a node stands to what runs on it and to what could. */
export type NodeStanding = 'ready' | 'suspect' | 'lost' | 'cordoned' | 'draining' | 'removed';

export interface AllotRequest {
  readonly key: string;
  readonly assignment: Pick<Assignment, 'replicas' | 'run' | 'resources'>;
  /** At most one of it may run: it is given to another node only when the one before has ended it. */
  readonly single: boolean;
  /** What is allotted now. */
  readonly before?: Pick<Allotment, 'slots' | 'leaving'> | undefined;
  /** Whether what is allotted needs of a node just what `assignment` does: what runs stays without being weighed again. */
  readonly sameNeed: boolean;
  /** Slots that run on the node that they are allotted to. */
  readonly up: ReadonlySet<number>;
  /** For a slot that nobody has been given: the node on which it runs, as the nodes report. */
  readonly running: ReadonlyMap<number, string>;
  /** Slots that have ended for good: where they ended is where they stay. */
  readonly finished: ReadonlySet<number>;
  /** Slots whose replica is healthy on the node that they are allotted to. */
  readonly healthy: ReadonlySet<number>;
  /** Every member, by name. */
  readonly nodes: ReadonlyMap<string, NodeStanding>;
  /** Whether nothing of the workload can run on a node any more. Asked for singletons alone. */
  readonly hasEnded: (node: string) => boolean;
  /** Whether one may run on a node of which nobody has said so. Asked for singletons alone. */
  readonly mayRunUnknown: () => boolean;
  readonly ledger: NodeLedger;
}

export interface Allotted {
  /** The node of each slot; empty for one that has none. */
  readonly slots: string[];
  /** Nodes that go on with a slot until its new one is healthy; of a singleton: that have to end it first. */
  readonly leaving: ReadonlyMap<number, string>;
  /** Slots for which no node has room. */
  readonly missing: number;
  /** A singleton that nobody is known to have may run all the same: nothing is to be decided before that is known. */
  readonly waits: boolean;
  /** Why, of the node that comes nearest. */
  readonly misfit?: CheckResult;
}

/**
 * Gives each replica of one workload at a site to a node. What has a node stays there, unless the node is lost, is to be
 * emptied or has no room for it any more. The rest is spread: a node with fewest replicas of the workload comes first, and
 * of those the one that the packing engine prefers. The same request always gives the same answer.
 */
export function allot(request: AllotRequest): Allotted {
  const { assignment } = request;
  const need = eachNeedOf(assignment);
  const slots = Array.from({ length: assignment.replicas }, () => '');
  const counts = new Map<string, number>();
  const leaving = new Map<number, string>();
  const homeless: { slot: number; from: string | undefined }[] = [];
  for (let slot = 0; slot < slots.length; slot += 1) {
    const owner = ownerOf(request, slot);
    if (owner !== undefined && keeps(request, need, { slot, owner, count: counts.get(owner) ?? 0 })) {
      give(slots, counts, slot, owner);
      const still = request.before?.leaving?.[slot];
      if (still !== undefined && mayLeave(request, slot, still, owner)) leaving.set(slot, still);
    } else homeless.push({ slot, from: owner });
  }
  let missing = 0;
  let waits = false;
  for (const { slot, from } of homeless) {
    if (request.single && from === undefined && request.mayRunUnknown()) {
      waits = true;
      continue;
    }
    const to = homeFor(request, need, counts);
    if (request.single && from !== undefined && !mayGive(request, slot, from)) {
      // Nothing else has room for it: it is not ended for that.
      if (to === undefined && has(request, slot, from)) give(slots, counts, slot, from);
      else leaving.set(slot, from);
      continue;
    }
    if (to !== undefined) {
      give(slots, counts, slot, to);
      if (!request.single && from !== undefined && request.nodes.get(from) === 'draining')
        leaving.set(slot, from);
    } else if (from !== undefined && request.nodes.get(from) === 'draining') {
      // Nothing has room for it: better there than nowhere.
      give(slots, counts, slot, from);
    } else missing += 1;
  }
  if (missing === 0) return { slots, leaving, missing, waits };
  return { slots, leaving, missing, waits, misfit: misfitOf(request, need, missing, counts) };
}

/**
 * Whether a singleton may be given to another node: it is written down that the one before has to end it, and it has. Until
 * that is written it may begin it at any moment.
 */
function mayGive({ before, hasEnded }: AllotRequest, slot: number, from: string): boolean {
  return before?.leaving?.[slot] === from && before.slots[slot] !== from && hasEnded(from);
}

/** Whether a node that is to be emptied has a slot still. */
function has({ before, nodes }: AllotRequest, slot: number, node: string): boolean {
  return before?.slots[slot] === node && nodes.get(node) === 'draining';
}

function give(slots: string[], counts: Map<string, number>, slot: number, node: string): void {
  slots[slot] = node;
  counts.set(node, (counts.get(node) ?? 0) + 1);
}

/** Who has the slot now. Of a singleton that nobody was given yet: who still has to end it. */
function ownerOf({ before, running, single }: AllotRequest, slot: number): string | undefined {
  const allotted = before?.slots[slot];
  if (allotted !== undefined && allotted !== '') return allotted;
  return (single ? before?.leaving?.[slot] : undefined) ?? running.get(slot);
}

function keeps(
  request: AllotRequest,
  need: EachNeed,
  { slot, owner, count }: { slot: number; owner: string; count: number },
): boolean {
  if (request.finished.has(slot)) return true;
  switch (request.nodes.get(owner)) {
    case 'ready':
    case 'suspect':
    case 'cordoned':
      return (
        (request.sameNeed && request.before?.slots[slot] === owner && request.up.has(slot)) ||
        request.ledger.misfit(request.key, owner, need, count + 1) === undefined
      );
    case 'draining':
    case 'lost':
    case 'removed':
    case undefined:
      return false;
  }
}

/** Whether the node that had the slot goes on with it: until the new one's replica is healthy. */
function mayLeave({ single, healthy, nodes }: AllotRequest, slot: number, from: string, to: string): boolean {
  const standing = nodes.get(from);
  const there = standing !== undefined && standing !== 'lost' && standing !== 'removed';
  return !single && there && from !== to && !healthy.has(slot);
}

function homeFor(
  { key, nodes, ledger }: AllotRequest,
  need: EachNeed,
  counts: ReadonlyMap<string, number>,
): string | undefined {
  const ready = [...nodes].flatMap(([name, standing]) => (standing === 'ready' ? [name] : [])).toSorted();
  const groups = new Map<number, string[]>();
  for (const name of ready) {
    const count = counts.get(name) ?? 0;
    groups.set(count, [...(groups.get(count) ?? []), name]);
  }
  for (const count of [...groups.keys()].toSorted((a, b) => a - b)) {
    const fitting = (groups.get(count) ?? []).filter(
      (name) => ledger.misfit(key, name, need, count + 1) === undefined,
    );
    const chosen = ledger.choose(fitting, need);
    if (chosen !== undefined) return chosen;
  }
  return undefined;
}

/** Names the node that comes nearest, and what it lacks. */
function misfitOf(
  { key, nodes, ledger, assignment }: AllotRequest,
  need: EachNeed,
  missing: number,
  counts: ReadonlyMap<string, number>,
): CheckResult {
  const ready = [...nodes].flatMap(([name, standing]) => (standing === 'ready' ? [name] : [])).toSorted();
  const failed = ready.flatMap((name) => {
    const misfit = ledger.misfit(key, name, need, (counts.get(name) ?? 0) + 1);
    return misfit === undefined ? [] : [{ name, misfit }];
  });
  // A node without the driver says nothing of room.
  const nearest = failed.find(({ misfit }) => misfit.check !== 'driver') ?? failed[0];
  const placed = assignment.replicas - missing;
  const has = `room for ${placed} of ${assignment.replicas} replicas on ${ready.length} nodes`;
  if (nearest === undefined)
    return { check: 'nodes', ok: false, has: `${has}: none takes new work`, needs: 'a ready node' };
  const { check, has: there, needs } = nearest.misfit;
  return { check, ok: false, has: `${has}; ${nearest.name}: ${there}`.slice(0, 300), needs };
}

/** Whether two allotments say the same of every slot. */
export function sameSlots(
  a: Pick<Allotment, 'slots' | 'leaving'> | undefined,
  b: Pick<Allotment, 'slots' | 'leaving'>,
): boolean {
  if (a === undefined || a.slots.length !== b.slots.length) return false;
  const leaving = (of: Pick<Allotment, 'leaving'>) => JSON.stringify(Object.entries(of.leaving ?? {}));
  return a.slots.every((node, slot) => node === b.slots[slot]) && leaving(a) === leaving(b);
}

/** Slots that a node runs: those it was given, and those it goes on with until they are healthy elsewhere. */
export function slotsOn(
  node: string,
  { slots, leaving }: Pick<Allotment, 'slots' | 'leaving'>,
  single: boolean,
): number[] {
  const mine = slots.flatMap((name, slot) => (name === node ? [slot] : []));
  const still = single
    ? []
    : Object.entries(leaving ?? {}).flatMap(([slot, name]) => (name === node ? [Number(slot)] : []));
  return [...new Set([...mine, ...still])].toSorted((a, b) => a - b);
}
