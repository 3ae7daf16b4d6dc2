import type { DemandPoint } from '@skerry/contracts';
import { distanceKm, estimatedRttMs, positionOf } from './geo.js';
import type { PlaceRequest, SiteFacts } from './types.js';

/** Users this near a site are taken to see the network as the site does. */
export const ANCHOR_KM = 100;
const ANCHORS_MAX = 4;

/** Round trips in ms from every user location to every candidate, computed once for a decision. */
export interface LatencyTable {
  readonly points: readonly DemandPoint[];
  /** Row of a candidate: `ms[candidate * points.length + point]`. */
  readonly ms: Float64Array;
  /** 1 where a measured round trip carries the figure, 0 where it is estimated from coordinates alone. */
  readonly measured: Uint8Array;
}

interface Anchor {
  readonly facts: SiteFacts;
  /** The way from the users to the anchor: always an estimate, over at most 100 km. */
  readonly localMs: number;
}

/**
 * Fills the table. Within 100 km of a site with a measured round trip to the candidate, that measurement and the local
 * way to the site are used; else the great-circle estimate. What was `measured` from the users themselves, by index of
 * point and name of site, wins over both. Costs (sites + candidates) × points.
 */
export function latencyTable(
  points: readonly DemandPoint[],
  candidates: readonly SiteFacts[],
  sites: readonly SiteFacts[],
  measured?: PlaceRequest['measuredMs'],
): LatencyTable {
  const ms = new Float64Array(points.length * candidates.length);
  const isMeasured = new Uint8Array(ms.length);
  for (const [p, point] of points.entries()) {
    const position = positionOf(point);
    const anchors = anchorsOf(position, sites);
    const own = measured?.[p];
    for (const [c, candidate] of candidates.entries()) {
      const at = c * points.length + p;
      const known = own?.get(candidate.name) ?? measuredMs(anchors, candidate);
      ms[at] = known ?? estimatedRttMs(distanceKm(position, candidate.position));
      isMeasured[at] = known === undefined ? 0 : 1;
    }
  }
  return { points, ms, measured: isMeasured };
}

function anchorsOf(position: SiteFacts['position'], sites: readonly SiteFacts[]): Anchor[] {
  const near: { facts: SiteFacts; km: number }[] = [];
  for (const facts of sites) {
    const km = distanceKm(position, facts.position);
    if (km <= ANCHOR_KM) near.push({ facts, km });
  }
  if (near.length > 1) near.sort((a, b) => a.km - b.km || (a.facts.name < b.facts.name ? -1 : 1));
  return near.slice(0, ANCHORS_MAX).map(({ facts, km }) => ({ facts, localMs: estimatedRttMs(km) }));
}

/** By the nearest anchor that has a measurement; a site needs none to itself. */
function measuredMs(anchors: readonly Anchor[], candidate: SiteFacts): number | undefined {
  for (const { facts, localMs } of anchors) {
    if (facts.name === candidate.name) return localMs;
    const rtt = facts.rttMs.get(candidate.name) ?? candidate.rttMs.get(facts.name);
    if (rtt !== undefined) return rtt + localMs;
  }
  return undefined;
}
