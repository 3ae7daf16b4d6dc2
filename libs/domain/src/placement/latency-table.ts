import type { DemandPoint } from '@skerry/contracts';
import { Users } from './demand/users.js';
import { SiteIndex } from './site-index.js';
import type { PlaceRequest, SiteFacts } from './types.js';

/** Round trips in ms from every user location to every candidate. */
export interface LatencyTable {
  readonly points: readonly DemandPoint[];
  /** Row of a candidate: `ms[candidate * points.length + point]`. */
  readonly ms: Float64Array;
  /** 1 where a measured round trip carries the figure, 0 where it is estimated from coordinates alone. */
  readonly measured: Uint8Array;
}

/** The table of some of the sites, by the rules of `Users`. */
export function latencyTable(
  points: readonly DemandPoint[],
  candidates: readonly SiteFacts[],
  sites: readonly SiteFacts[],
  measuredMs?: PlaceRequest['measuredMs'],
): LatencyTable {
  const index = SiteIndex.of(sites);
  const users = new Users(points, index, measuredMs);
  const ms = new Float64Array(points.length * candidates.length);
  const measured = new Uint8Array(ms.length);
  for (const [c, { name }] of candidates.entries()) {
    const site = index.ordinal(name);
    if (site === undefined) continue;
    const row = users.row(site);
    ms.set(row.ms, c * points.length);
    measured.set(row.measured, c * points.length);
  }
  return { points, ms, measured };
}
