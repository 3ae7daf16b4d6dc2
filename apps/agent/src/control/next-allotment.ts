import type { Allotment, Assignment, Tombstone } from '@skerry/contracts';
import { turnOf, type Allotted } from '@skerry/domain';
import { isSingle, ownerOf, sameTemplate, slotStates, type NodeReports } from './site-state.js';

export interface AllotmentParts extends Pick<Allotted, 'slots' | 'leaving'> {
  /** What lies there, a tombstone too. */
  before: Allotment | undefined;
  /** What lies there and is no tombstone. */
  current: Allotment | undefined;
  /** The assignment that `current` is of, as far as that is known. */
  accepted: Assignment | undefined;
  /** The local change that the assignment is of. */
  change: string | undefined;
  reports: NodeReports;
  /** Of the controller. */
  epoch: number;
  nowMs: number;
}

/** What is written of a workload whose slots were given to these nodes: who exchanges first, what moved and how often. */
export function nextAllotment(object: Assignment, parts: AllotmentParts): Allotment {
  const { before, current, accepted, change, slots, leaving } = parts;
  const moved = slots.some((node, slot) => node !== '' && (current?.slots[slot] ?? node) !== node);
  const handed =
    isSingle(object) && slots[0] !== '' && current !== undefined && ownerOf(current) !== slots[0];
  const movedAtMs = moved ? parts.nowMs : current?.movedAtMs;
  const moves = (before?.moves ?? 0) + (handed ? 1 : 0);
  const differs = accepted === undefined ? current !== undefined : !sameTemplate(accepted, object);
  const rolls = current?.turn !== undefined || differs;
  const wanted = { version: object.version, ...(change === undefined ? {} : { change }) };
  const states = rolls ? slotStates(slots, parts.reports, wanted) : [];
  const turn = turnOf(states, current?.turn, object.update.maxUnavailable);
  const still = [...leaving].map(([slot, node]) => [String(slot), node] as const);
  return {
    kind: 'Allotment',
    project: object.project,
    name: object.name,
    ...wanted,
    slots,
    single: isSingle(object),
    ...(still.length === 0 ? {} : { leaving: Object.fromEntries(still) }),
    ...(turn === undefined ? {} : { turn }),
    ...(movedAtMs === undefined ? {} : { movedAtMs }),
    ...(moves === 0 ? {} : { moves }),
    epoch: parts.epoch,
  };
}

/** What is written of a workload that was removed: who had what there was one of has to end it yet. */
export function lastAllotment(tombstone: Tombstone, current: Allotment, epoch: number): Allotment {
  const { project, name, version } = tombstone;
  const { single, moves } = current;
  const owner = single === true ? ownerOf(current) : undefined;
  return {
    kind: 'Allotment',
    project,
    name,
    version,
    slots: [],
    ...(single === undefined ? {} : { single }),
    ...(owner === undefined || owner === '' ? {} : { leaving: { '0': owner } }),
    ...(moves === undefined ? {} : { moves }),
    tombstone,
    epoch,
  };
}
