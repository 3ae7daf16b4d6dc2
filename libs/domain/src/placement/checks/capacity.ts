import { LIMITS } from '@skerry/contracts';
import { replicaRange } from '../replica-range.js';
import type { Check, CheckContext } from '../types.js';

/** Replicas fit into the site's nodes one by one: a sum over nodes would hide fragmentation. */
export const capacity: Check = {
  name: 'capacity',
  ceiling: roomFor,
  explain(context) {
    const { facts, request } = context;
    const { cpuMillicores, memoryMiB, diskMiB } = request.workload.spec.resources;
    const room = roomFor(context);
    const need = `${cpuMillicores} millicores, ${memoryMiB} MiB${diskMiB > 0 ? `, ${diskMiB} MiB disk` : ''}`;
    return {
      has: `room for ${Number.isFinite(room) ? room : 'all'} of ${replicaRange(request.workload.spec.placement).max} on ${facts.state?.nodes ?? 0} nodes`,
      needs: `${need} free on one node for each replica`,
      ...(room === 0 ? { remedy: `free or add ${need} on one node of ${facts.name}` } : {}),
    };
  },
};

function roomFor({ facts, request, snapshot }: CheckContext): number {
  const { workload } = request;
  const limit = Math.min(
    Math.max(1, replicaRange(workload.spec.placement).max),
    LIMITS.replicasPerAssignment,
  );
  const key = `${workload.project}.${workload.name}`;
  const fits = snapshot.ledger.fitting(facts.name, workload.spec.resources, limit, key);
  // Room for all of them does not limit; only a whole assignment's own limit does.
  return fits === limit && limit < LIMITS.replicasPerAssignment ? Number.POSITIVE_INFINITY : fits;
}
