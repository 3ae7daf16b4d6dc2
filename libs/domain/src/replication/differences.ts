import {
  compareVersions,
  type Placement,
  type Version,
  type Workload,
  type WorkloadObject,
} from '@skerry/contracts';
import { wantedOf } from './wanted.js';

/** What the replicator remembers of one object that lies in `DL`. */
export interface Delivered {
  kind: 'Assignment' | 'Tombstone';
  version: Version;
  /** Its sequence in `DL`: what the next write of it is conditional on. */
  sequence: number;
}

export interface DifferenceInput {
  placement: Placement;
  workload: Workload | undefined;
  /** What lies in `DL` of this workload, by site. */
  delivered: ReadonlyMap<string, Delivered>;
  /**
   * Of the sites of `after` for which nothing lies there: those whose newest report says that it has not ended. So it is
   * after `DL` was lost, or an older copy of it was restored.
   */
  holding?: ReadonlySet<string>;
  /** Sites that are members and may be given work: joined or leaving. */
  mayReceive: (site: string) => boolean;
  /** RFC 3339: the moment of the removal, kept in tombstones. */
  at: string;
}

/** One write to `DL`, conditional on the sequence that the decision was made on (0: nothing lies there). */
export interface DesiredWrite {
  object: WorkloadObject;
  expected: number;
}

/**
 * The writes that bring what lies in `DL` of one workload to what its placement wants. The newest version wins: an
 * object that is as new or newer is left alone. What is no longer wanted becomes a tombstone; absence never means
 * delete. A singleton is given to a site only when those of `after` have ended it, which are told so. Undefined: the inputs do not fit each
 * other yet.
 */
export function differences(input: DifferenceInput): DesiredWrite[] | undefined {
  const { placement, delivered } = input;
  const wanted = wantedOf(placement, input.workload);
  if (wanted === undefined) return undefined;
  const writes: DesiredWrite[] = [];
  const kept = new Set<string>();
  // What lies there for a site goes when the site has said that nothing is left.
  const untold = placement.after?.filter((site) => !delivered.has(site) && input.holding?.has(site)) ?? [];
  // One that was forced out says nothing any more: the scheduler takes it out of `after` when its lease must have run out.
  const mayRun = (site: string) => delivered.has(site) || !input.mayReceive(site);
  const waits = untold.length > 0 || placement.after?.some(mayRun) === true;
  for (const object of wanted) {
    if (!input.mayReceive(object.site)) continue;
    kept.add(object.site);
    const there = delivered.get(object.site);
    if (waits && !placement.after?.includes(object.site)) continue;
    if (isNewer(object.version, there)) writes.push({ object, expected: there?.sequence ?? 0 });
  }
  for (const [site, there] of delivered) {
    if (kept.has(site) || there.kind === 'Tombstone' || !isNewer(placement.version, there)) continue;
    writes.push({ object: tombstone(placement, site, input.at), expected: there.sequence });
  }
  for (const site of untold) {
    if (input.mayReceive(site)) writes.push({ object: tombstone(placement, site, input.at), expected: 0 });
  }
  return writes;
}

function isNewer(version: Version, there: Delivered | undefined): boolean {
  return there === undefined || compareVersions(version, there.version) > 0;
}

function tombstone(placement: Placement, site: string, at: string): DesiredWrite['object'] {
  const { project, name, version, requestId } = placement;
  return { kind: 'Tombstone', site, project, name, version, removedAt: at, requestId };
}
