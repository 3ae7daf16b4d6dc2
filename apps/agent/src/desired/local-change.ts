import {
  compareVersions,
  isWorkloadObject,
  type Assignment,
  type Desired,
  type Override,
  type Tombstone,
  type Version,
} from '@skerry/contracts';
import { effectiveOf, UNKNOWN_TO_HUB } from '@skerry/domain';
import { hubObjectOf, type HeldObject } from './held-object.js';

/**
 * Whether a local change still stands over what the hub wants: until the hub wants nothing of it here, or another generation than
 * it was made over. A newer placement of the same generation does not end it: the hub has not decided on the change yet, or has
 * left it to this site.
 */
export function standsOver(change: Override, base: Desired | undefined): boolean {
  if (base === undefined) return true;
  if (!isWorkloadObject(base)) return false;
  const over = change.base ?? UNKNOWN_TO_HUB;
  if (base.kind === 'Tombstone' || isUnknown(over)) return compareVersions(base.version, over) <= 0;
  return compareVersions({ ...base.version, revision: 0 }, { ...over, revision: 0 }) <= 0;
}

/** Whether it was made over nothing that the hub wants. */
export function isUnknown({ revision }: Version): boolean {
  return revision === UNKNOWN_TO_HUB.revision;
}

/** What is held when the hub wants `base` and this change was made here. */
export function under(base: Desired, change: Override | undefined): Pick<HeldObject, 'object' | 'override'> {
  if (change === undefined || !standsOver(change, base)) return { object: base };
  return { object: changed(change, base), override: { change, base } };
}

/** What is held with a change; undefined when it does not stand, or stands already. */
export function withChange(present: HeldObject | undefined, change: Override): HeldObject | undefined {
  const base = (present && hubObjectOf(present)) ?? begunHere(change);
  const standing = present?.override?.change;
  if (!standsOver(change, base) || (standing !== undefined && isSame(standing, change))) return undefined;
  const {
    fallback: _fallback,
    acknowledgedAt: _acknowledged,
    ...rest
  } = present ?? { object: change.object };
  const object = changed(change, base);
  return { ...rest, object, override: { change, ...(base === undefined ? {} : { base }) } };
}

/** What was begun here and the hub knows of: held as if the hub had wanted it before anything else, so that it can take it away. */
function begunHere(change: Override): Assignment | undefined {
  const isKnown = change.known === true || (change.base !== undefined && isUnknown(change.base));
  return isKnown ? change.object : undefined;
}

function isSame(a: Override, b: Override): boolean {
  return a.proposal === b.proposal && a.at === b.at && a.known === b.known && a.alone === b.alone;
}

function changed(change: Override, base: Desired | undefined): Assignment {
  return effectiveOf({ ...change, base, override: change }) ?? change.object;
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
