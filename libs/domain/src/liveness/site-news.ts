import type { CapacityDigest, Heartbeat, SiteStanding, SiteState } from '@skerry/contracts';
import { sameShapes } from '../placement/nodes/same-shapes.js';

/** What of a heartbeat is kept in a site's state. */
export interface HeardFacts {
  capacity: CapacityDigest;
  nodes: number;
  /** Always there, so that it takes the place of what was said before. */
  standing: SiteStanding | undefined;
  agentVersion: string;
  hubRttMs?: number;
}

/** Round trips change with every ping; below both of these a change is no news. */
const RTT_NEWS_MS = 5;
const RTT_NEWS_SHARE = 0.25;

export function factsOf(heartbeat: Heartbeat): HeardFacts {
  const { capacity, nodes, standing, agentVersion, hubRttMs } = heartbeat;
  return { capacity, nodes, standing, agentVersion, ...(hubRttMs === undefined ? {} : { hubRttMs }) };
}

/**
 * Whether `facts` differ from the state on record by so much that it has to be written: any change of capacity,
 * nodes, what is wanted of all of them or agent version, and a round trip that moved by at least 5 ms and a quarter.
 */
export function isNews(state: SiteState, facts: HeardFacts): boolean {
  return (
    state.nodes !== facts.nodes ||
    state.standing !== facts.standing ||
    state.agentVersion !== facts.agentVersion ||
    !sameCapacity(state.capacity, facts.capacity) ||
    rttMoved(state.hubRttMs, facts.hubRttMs)
  );
}

function sameCapacity(a: CapacityDigest, b: CapacityDigest): boolean {
  return (
    sameShapes(a.shapes, b.shapes) &&
    a.drivers.length === b.drivers.length &&
    a.drivers.every((driver, i) => driver === b.drivers[i])
  );
}

function rttMoved(before: number | undefined, now: number | undefined): boolean {
  if (now === undefined) return false;
  if (before === undefined) return true;
  const moved = Math.abs(now - before);
  return moved >= RTT_NEWS_MS && moved >= before * RTT_NEWS_SHARE;
}
