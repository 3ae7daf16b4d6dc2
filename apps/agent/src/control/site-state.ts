import type { Allotment, Assignment, Desired, Observed, Replica } from '@skerry/contracts';
import { compareVersions } from '@skerry/contracts';
import { hasEnded, type SlotState } from '@skerry/domain';
import { changeOf, hubObjectOf, type HeldObject } from '../desired/held-object.js';
import { templateText } from '../replicas/replica-record.js';

/** The newest report of one workload by each node. */
export type NodeReports = ReadonlyMap<string, Observed>;

/** Whether at most one of it may run anywhere. */
export function isSingle({ type, epoch }: Pick<Assignment, 'type' | 'epoch'>): boolean {
  return type === 'singleton' || epoch !== undefined;
}

/** Whether something of a replica may run. */
export function isUp({ phase }: Replica): boolean {
  switch (phase) {
    case 'starting':
    case 'running':
    case 'unhealthy':
    case 'stopping':
    case 'backoff':
      return true;
    case 'completed':
    case 'failed':
      return false;
  }
}

/** The node on which each slot runs, as the nodes report; of several the first by name. */
export function runningOn(reports: NodeReports, lost: (node: string) => boolean): Map<number, string> {
  const running = new Map<number, string>();
  for (const node of [...reports.keys()].toSorted()) {
    if (lost(node)) continue;
    for (const r of reports.get(node)?.replicas ?? [])
      if (isUp(r) && !running.has(r.slot)) running.set(r.slot, node);
  }
  return running;
}

/** Slots whose replica, on the node that they are allotted to, is as the test says. */
export function slotsThat(
  allotment: Pick<Allotment, 'slots'> | undefined,
  reports: NodeReports,
  is: (replica: Replica) => boolean,
): Set<number> {
  const found = new Set<number>();
  for (const [slot, node] of (allotment?.slots ?? []).entries()) {
    const replica = reports.get(node)?.replicas.find((r) => r.slot === slot);
    if (replica !== undefined && is(replica)) found.add(slot);
  }
  return found;
}

/** How the slots of an assignment stand, for whose turn it is to update. */
export function slotStates(
  slots: readonly string[],
  reports: NodeReports,
  wanted: Pick<Allotment, 'version' | 'change'>,
): SlotState[] {
  return slots.flatMap((node, slot): SlotState[] => {
    if (node === '') return [];
    const replica = reports.get(node)?.replicas.find((r) => r.slot === slot);
    const outdated = replica !== undefined && isUp(replica) && isOlder(replica, wanted);
    const fine = replica?.phase === 'running' || replica?.phase === 'completed';
    return [{ node, outdated, fine }];
  });
}

/** Whether a replica is of an older version, or of the same without the local change that stands over it, or with another. */
function isOlder(replica: Replica, { version, change }: Pick<Allotment, 'version' | 'change'>): boolean {
  const order = compareVersions(replica.version, version);
  return order < 0 || (order === 0 && replica.change !== change);
}

/**
 * The assignment that an allotment is of; the newest when that is not known any more, and undefined when it is known only
 * that it was another: a local change came or went, over the same version.
 */
export function acceptedOf(
  held: HeldObject | undefined,
  current: Allotment | undefined,
): Assignment | undefined {
  if (held === undefined || current === undefined || current.tombstone !== undefined) return undefined;
  const { object, fallback } = held;
  const isOf = (a: Desired | undefined): a is Assignment =>
    a?.kind === 'Assignment' && compareVersions(a.version, current.version) === 0;
  const same = changeOf(held) === current.change;
  if (same && isOf(object)) return object;
  if (isOf(fallback)) return fallback;
  const base = hubObjectOf(held);
  if (current.change === undefined && isOf(base)) return base;
  if (!same) return undefined;
  return object.kind === 'Assignment' ? object : fallback;
}

/** Whether two assignments start the same: then what runs need not be exchanged. */
export function sameTemplate(a: Assignment, b: Assignment): boolean {
  return templateText(a) === templateText(b);
}

/** Whether two assignments need the same of a node. */
export function sameNeed(a: Assignment, b: Assignment): boolean {
  const of = ({ run, resources }: Assignment) => JSON.stringify([run.driver, run.ports, resources]);
  return of(a) === of(b);
}

/** Slots that ended for good, which stay where they ended: only a job's do. */
export function finishedOf(
  { type, version }: Assignment,
  current: Allotment | undefined,
  reports: NodeReports,
): Set<number> {
  if (type !== 'job') return new Set();
  return slotsThat(current, reports, (r) => hasEnded(r) && compareVersions(r.version, version) === 0);
}

/** Of a singleton: who has it, or had it last. */
export function ownerOf({ slots, leaving }: Allotment): string | undefined {
  const [owner = ''] = slots;
  return owner === '' ? leaving?.['0'] : owner;
}

/**
 * Whether something may run on a lost node, of what was removed, for as long as a lease lasts: a singleton, where it was given
 * to that node or was reported by it. Of anything else what a lost node ran counts as gone.
 */
export function mayRunOnLost(
  node: string,
  allotment: Allotment | undefined,
  report: Observed | undefined,
): boolean {
  if (allotment?.single === undefined) return true;
  return allotment.single && (ownerOf(allotment) === node || (report?.replicas.some(isUp) ?? false));
}
