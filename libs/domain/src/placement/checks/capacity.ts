import { LIMITS } from '@skerry/contracts';
import { replicaRange } from '../replica-range.js';
import type { Check, PlaceRequest } from '../types.js';

/** Replicas fit into the site's nodes one by one: a sum over nodes would hide fragmentation. */
export const capacity: Check = {
  name: 'capacity',
  prepare(request, snapshot) {
    const most = mostAsked(request);
    const { workload } = request;
    const key = `${workload.project}.${workload.name}`;
    const { resources } = workload.spec;
    return ({ name }) => {
      const fits = snapshot.ledger.fitting(name, resources, most, key);
      // Room for all of them does not limit; only a whole assignment's own limit does.
      return fits === most && most < LIMITS.replicasPerAssignment ? Number.POSITIVE_INFINITY : fits;
    };
  },
  screen: ({ workload }, { ledger }, sites) => ledger.haveRoom?.(sites, workload.spec.resources),
  explain(context) {
    const { facts, request, snapshot, present } = context;
    const { cpuMillicores, memoryMiB, diskMiB } = request.workload.spec.resources;
    const room = capacity.prepare(request, snapshot)?.(facts, present) ?? 0;
    const need = `${cpuMillicores} millicores, ${memoryMiB} MiB${diskMiB > 0 ? `, ${diskMiB} MiB disk` : ''}`;
    return {
      has: `room for ${Number.isFinite(room) ? room : 'all'} of ${replicaRange(request.workload.spec.placement).max} on ${facts.state?.nodes ?? 0} nodes`,
      needs: `${need} free on one node for each replica`,
      ...(room === 0 ? { remedy: `free or add ${need} on one node of ${facts.name}` } : {}),
    };
  },
};

/** Asking for more than can be used would only cost time. */
function mostAsked({ workload }: PlaceRequest): number {
  return Math.min(Math.max(1, replicaRange(workload.spec.placement).max), LIMITS.replicasPerAssignment);
}
