import { LIMITS, type Resources } from '@skerry/contracts';
import { replicaRange } from '../replica-range.js';
import type { Check, PlaceRequest } from '../types.js';

/** More than any finite limit, and so few that times the nodes of a site it is a whole number still. */
const ROOMS = 2 * LIMITS.replicasPerAssignment;

/** Replicas fit into the site's nodes one by one: a sum over nodes would hide fragmentation. */
export const capacity: Check = {
  name: 'capacity',
  prepare(request, snapshot) {
    const most = mostAsked(request);
    const { workload } = request;
    const key = `${workload.project}.${workload.name}`;
    const { resources } = workload.spec;
    return ({ name }) => limitOf(snapshot.ledger.fitting(name, resources, most, key), most);
  },
  screen: ({ workload }, { ledger }, sites) => ledger.haveRoom?.(sites, workload.spec.resources),
  limits(request, { ledger }, sites) {
    const most = mostAsked(request);
    const fits = ledger.fittingAll?.(sites, request.workload.spec.resources, most);
    return fits?.map((n) => limitOf(n, most));
  },
  alike: ({ state }, limit) => (state?.nodes ?? 0) * ROOMS + (Number.isFinite(limit) ? limit : -1),
  explain(context) {
    const { facts, request, snapshot, present } = context;
    const room = context.limit ?? capacity.prepare(request, snapshot)?.(facts, present) ?? 0;
    const need = needInWords(request.workload.spec.resources);
    return {
      has: `room for ${Number.isFinite(room) ? room : 'all'} of ${replicaRange(request.workload.spec.placement).max} on ${facts.state?.nodes ?? 0} nodes`,
      needs: `${need} free on one node for each replica`,
      ...(room === 0 ? { remedy: `free or add ${need} on one node of ${facts.name}` } : {}),
    };
  },
};

function needInWords({ cpuMillicores, memoryMiB, diskMiB, gpu }: Resources): string {
  const disk = diskMiB > 0 ? `, ${diskMiB} MiB disk` : '';
  if (gpu === undefined) return `${cpuMillicores} millicores, ${memoryMiB} MiB${disk}`;
  const models = gpu.models === undefined ? '' : ` of ${gpu.models.join(' or ')}`;
  const gpus =
    gpu.shareMilli === undefined
      ? `${gpu.count} whole ${gpu.count === 1 ? 'GPU' : 'GPUs'}${models}`
      : `${gpu.shareMilli} thousandths of one GPU${models}`;
  return `${cpuMillicores} millicores, ${memoryMiB} MiB${disk}, ${gpus}`;
}

/** Room for all of them does not limit; only a whole assignment's own limit does. */
function limitOf(fits: number, most: number): number {
  return fits === most && most < LIMITS.replicasPerAssignment ? Number.POSITIVE_INFINITY : fits;
}

/** Asking for more than can be used would only cost time. */
function mostAsked({ workload }: PlaceRequest): number {
  return Math.min(Math.max(1, replicaRange(workload.spec.placement).max), LIMITS.replicasPerAssignment);
}
