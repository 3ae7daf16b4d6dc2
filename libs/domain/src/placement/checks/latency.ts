import { NearestUsers } from '../demand/nearest-users.js';
import { Users } from '../demand/users.js';
import { SiteIndex } from '../site-index.js';
import type { Check, PlaceRequest, Snapshot } from '../types.js';
import { UNREAD } from './facets.js';

/** The site is within `maxLatencyMs` of at least one user location. That every user has such a site is a rule of the whole set. */
export const latency: Check = {
  name: 'latency',
  reads: ({ workload }) =>
    workload.spec.placement.maxLatencyMs === undefined || workload.demand.length === 0 ? UNREAD : undefined,
  prepare(request, snapshot) {
    const { maxLatencyMs } = request.workload.spec.placement;
    if (maxLatencyMs === undefined || request.workload.demand.length === 0) return undefined;
    const { nearest, index } = prepared(request, snapshot);
    return ({ name }) => {
      const site = index.ordinal(name);
      return site !== undefined && nearest.msTo(site) <= maxLatencyMs ? Number.POSITIVE_INFINITY : 0;
    };
  },
  explain({ facts, request, snapshot }) {
    const { maxLatencyMs } = request.workload.spec.placement;
    if (maxLatencyMs === undefined || request.workload.demand.length === 0)
      return { has: 'no latency ceiling', needs: 'nothing' };
    const { nearest, index } = prepared(request, snapshot);
    const { point, ms, measured } = nearest.to(index.ordinal(facts.name) ?? -1);
    const label = request.workload.demand[point]?.label ?? '';
    return {
      has: `${ms.toFixed(1)} ms${measured ? '' : ' (estimated)'} to the nearest users, ${label}`,
      needs: `at most ${maxLatencyMs} ms to some users`,
      ...(ms > maxLatencyMs ? { remedy: `maxLatencyMs: ${Math.ceil(ms)}` } : {}),
    };
  },
};

interface Prepared {
  readonly nearest: NearestUsers;
  readonly index: SiteIndex;
}

const known = new WeakMap<PlaceRequest, Prepared>();

/** Who is nearest to which site, for as long as the request is looked at. */
function prepared(request: PlaceRequest, { sites }: Snapshot): Prepared {
  const index = SiteIndex.of(sites);
  const found = known.get(request);
  if (found?.index === index) return found;
  const users = new Users(request.workload.demand, index, request.measuredMs);
  const made = { nearest: new NearestUsers(users, index), index };
  known.set(request, made);
  return made;
}
