import type { Allotment, Observed, Replica } from '@skerry/contracts';

/** What one node reports of one workload. */
export type NodeReport = Pick<Observed, 'state' | 'version' | 'replicas' | 'runs'>;

export interface MergeInput {
  /** Node of each slot; undefined while nothing was allotted. */
  readonly allotment: Pick<Allotment, 'slots'> | undefined;
  /** The newest report of each node. */
  readonly reports: ReadonlyMap<string, NodeReport>;
  /** Nodes whose replicas are taken for gone. */
  readonly lost: ReadonlySet<string>;
}

/**
 * The replicas of a site out of what its nodes report: one for each slot, the one on the node that has the slot if there is
 * one, else one that is on its way out. What a lost node ran is gone, but for what had ended for good.
 */
export function mergeReplicas({ allotment, reports, lost }: MergeInput): Replica[] {
  const bySlot = new Map<number, Replica>();
  const nodes = [...reports.keys()].toSorted();
  for (const node of nodes) {
    for (const replica of reports.get(node)?.replicas ?? []) {
      if (lost.has(node) && !hasEnded(replica)) continue;
      const known = bySlot.get(replica.slot);
      if (known === undefined || isBetter(replica, known, allotment?.slots))
        bySlot.set(replica.slot, replica);
    }
  }
  return [...bySlot.values()].toSorted((a, b) => a.slot - b.slot);
}

/** When a cron ran last and will next, over all nodes. */
export function mergeRuns(reports: Iterable<NodeReport>): Observed['runs'] {
  let last: string | undefined;
  let next: string | undefined;
  for (const { runs } of reports) {
    if (runs?.last !== undefined && (last === undefined || runs.last > last)) last = runs.last;
    if (runs?.next !== undefined && (next === undefined || runs.next < next)) next = runs.next;
  }
  if (last === undefined && next === undefined) return undefined;
  return { ...(last === undefined ? {} : { last }), ...(next === undefined ? {} : { next }) };
}

/** Whether a replica has ended for good. */
export function hasEnded({ phase }: Replica): boolean {
  return phase === 'completed' || phase === 'failed';
}

/** Of two replicas of one slot: one that runs, then the one where the slot belongs. */
function isBetter(a: Replica, b: Replica, slots: readonly string[] | undefined): boolean {
  const rank = (r: Replica) => {
    const home = slots === undefined || slots.length === 0 ? undefined : slots[r.slot % slots.length];
    return (r.phase === 'running' ? 2 : 0) + (home === r.node ? 1 : 0);
  };
  return rank(a) > rank(b);
}
