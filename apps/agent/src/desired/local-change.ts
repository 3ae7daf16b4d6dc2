import {
  compareVersions,
  isWorkloadObject,
  type Desired,
  type Override,
  type Tombstone,
} from '@skerry/contracts';
import { UNKNOWN_TO_HUB } from '@skerry/domain';
import { hubObjectOf, type HeldObject } from './held-object.js';

/** Whether a local change still stands over what the hub wants: it does until the hub wants something newer than it was made over. */
export function standsOver(change: Override, base: Desired | undefined): boolean {
  if (base === undefined) return true;
  if (!isWorkloadObject(base)) return false;
  return compareVersions(base.version, change.base ?? UNKNOWN_TO_HUB) <= 0;
}

/** What is held when the hub wants `base` and this change was made here. */
export function under(base: Desired, change: Override | undefined): Pick<HeldObject, 'object' | 'override'> {
  if (change === undefined || !standsOver(change, base)) return { object: base };
  return { object: change.object, override: { change, base } };
}

/** What is held with a change; undefined when it does not stand, or stands already. */
export function withChange(present: HeldObject | undefined, change: Override): HeldObject | undefined {
  const base = present && hubObjectOf(present);
  const standing = present?.override?.change;
  if (!standsOver(change, base) || (standing?.proposal === change.proposal && standing.at === change.at))
    return undefined;
  const {
    fallback: _fallback,
    acknowledgedAt: _acknowledged,
    ...rest
  } = present ?? { object: change.object };
  return { ...rest, object: change.object, override: { change, ...(base === undefined ? {} : { base }) } };
}

/** What is held when its change is taken away: what the hub wants, or that nothing is wanted; undefined when there was none. */
export function without(present: HeldObject | undefined): HeldObject | undefined {
  if (present?.override === undefined) return undefined;
  const { override, ...rest } = present;
  return { ...rest, object: override.base ?? buried(override.change) };
}

/** Nothing of it shall be left; older than whatever the hub may yet want. */
function buried({ site, project, name, proposal }: Override): Tombstone {
  return {
    kind: 'Tombstone',
    site,
    project,
    name,
    version: UNKNOWN_TO_HUB,
    removedAt: new Date().toISOString(),
    requestId: proposal,
  };
}
