import { Users } from '../demand/users.js';
import { rttMsOfSquaredChord } from '../geo.js';
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
    const { users, index } = prepared(request, snapshot);
    return ({ name }) => {
      const site = index.ordinal(name);
      return site !== undefined && nearToAny(users, index, site, maxLatencyMs) ? Number.POSITIVE_INFINITY : 0;
    };
  },
  explain({ facts, request, snapshot }) {
    const { maxLatencyMs } = request.workload.spec.placement;
    if (maxLatencyMs === undefined || request.workload.demand.length === 0)
      return { has: 'no latency ceiling', needs: 'nothing' };
    const { users, index } = prepared(request, snapshot);
    const row = users.row(index.ordinal(facts.name) ?? -1);
    let at = 0;
    for (const [p, ms] of row.ms.entries()) if (ms < (row.ms[at] ?? Number.POSITIVE_INFINITY)) at = p;
    const nearest = row.ms[at] ?? Number.POSITIVE_INFINITY;
    const how = row.measured[at] === 1 ? '' : ' (estimated)';
    return {
      has: `${nearest.toFixed(1)} ms${how} to the nearest users, ${users.points[at]?.label ?? ''}`,
      needs: `at most ${maxLatencyMs} ms to some users`,
      ...(nearest > maxLatencyMs ? { remedy: `maxLatencyMs: ${Math.ceil(nearest)}` } : {}),
    };
  },
};

const known = new WeakMap<PlaceRequest, { users: Users; index: SiteIndex }>();

/** The users of a request, for as long as the request is looked at. */
function prepared(request: PlaceRequest, { sites }: Snapshot): { users: Users; index: SiteIndex } {
  const index = SiteIndex.of(sites);
  const found = known.get(request);
  if (found?.index === index) return found;
  const made = { users: new Users(request.workload.demand, index, request.measuredMs), index };
  known.set(request, made);
  return made;
}

/** Without anything measured the coordinates decide, and no row is kept for a site that may be far from all. */
function nearToAny(users: Users, index: SiteIndex, site: number, mostMs: number): boolean {
  const estimated = !users.areMeasured && index.rttOf(site).length === 0;
  if (!estimated) return users.row(site).ms.some((ms) => ms <= mostMs);
  const [x = 0, y = 0, z = 0] = [index.x[site], index.y[site], index.z[site]];
  for (let p = 0; p < users.count; p += 1) {
    const dx = (users.x[p] ?? 0) - x;
    const dy = (users.y[p] ?? 0) - y;
    const dz = (users.z[p] ?? 0) - z;
    if (rttMsOfSquaredChord(dx * dx + dy * dy + dz * dz) <= mostMs) return true;
  }
  return false;
}
