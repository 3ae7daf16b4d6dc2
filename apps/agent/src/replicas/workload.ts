import {
  isWorkloadObject,
  type Assignment,
  type CheckResult,
  type Observed,
  type Version,
} from '@skerry/contracts';
import { runsOf, SINGLETON_LEASE, type Wanted } from '@skerry/domain';
import { changeOf, type HeldObject } from '../desired/held-object.js';
import { restsWithout, type HubView } from '../hub-silence.js';
import { isSingle } from '../control/site-state.js';
import { heldOf, templateText, type ReplicaRecord } from './replica-record.js';

/** One workload at this node: what is wanted of it, and what there is. */
export interface Workload {
  readonly key: string;
  readonly project: string;
  readonly name: string;
  /** The newest object; its version is what reports are about. */
  held: HeldObject | undefined;
  /** What runs: the newest assignment that fitted. Undefined: nothing shall. */
  assignment: Assignment | undefined;
  /** Proposal of the local change that `assignment` is of; undefined: it is what the hub wants. */
  change: string | undefined;
  /** `template` of `assignment`, worked out once. */
  template: string;
  /** Why the newest assignment was refused. */
  refusal: CheckResult | undefined;
  /** The newest assignment does not fit now but may in a moment; decided by this timer. */
  undecided: NodeJS.Timeout | undefined;
  /** Which slots are this node's; undefined: all, since the site has no other. */
  slots: ReadonlySet<number> | undefined;
  /** Another node exchanges its replicas now: those that run here stay as they are. */
  othersTurn: boolean;
  /** Of a singleton: how often it went from node to node here. */
  moves: number;
  /** Runs of a cron due before this are not made up for: they may have run on another node. Ms since 1970. */
  countFrom: number;
  /** It rested when it was looked at last. */
  rested: boolean;
  readonly replicas: Map<number, ReplicaRecord>;
  wake: NodeJS.Timeout | undefined;
  /** Replicas whose remains are being removed. */
  clearing: number;
}

export function newWorkload(key: string, project: string, name: string): Workload {
  return {
    key,
    project,
    name,
    held: undefined,
    assignment: undefined,
    change: undefined,
    template: '',
    refusal: undefined,
    undecided: undefined,
    slots: undefined,
    othersTurn: false,
    moves: 0,
    countFrom: 0,
    rested: false,
    replicas: new Map(),
    wake: undefined,
    clearing: 0,
  };
}

/** Sets what shall run. */
export function assign(workload: Workload, assignment: Assignment | undefined): void {
  if (assignment === undefined) workload.change = undefined;
  else if (assignment === workload.held?.object) workload.change = changeOf(workload.held);
  else if (assignment !== workload.assignment) workload.change = undefined;
  workload.assignment = assignment;
  workload.template = assignment === undefined ? '' : templateText(assignment);
}

/** What the pure decision needs to know of the assignment. What may not run without the hub rests while that is silent. */
export function wantedOf(workload: Workload, hub?: HubView): Wanted | undefined {
  const { assignment, template, held, slots } = workload;
  if (assignment === undefined) return undefined;
  const { restart } = assignment.run;
  const cron = assignment.cron && {
    schedule: assignment.cron,
    fromMs: Math.max(held?.cronFrom ?? 0, workload.countFrom),
  };
  return {
    replicas: assignment.replicas,
    ...(slots === undefined ? {} : { slots }),
    template,
    policy: restart.policy ?? (ends(assignment) ? 'on-failure' : 'always'),
    backoffMs: restart.backoffMs,
    maxBackoffMs: restart.maxBackoffMs,
    maxUnavailable: workload.othersTurn ? 0 : assignment.update.maxUnavailable,
    healthyDeadlineMs: assignment.update.healthyDeadlineMs,
    ...(cron === undefined ? {} : { cron }),
    paused: hub !== undefined && rests(workload, hub),
  };
}

/** Whether it may not run now, since the hub was not heard for so long that it may be replaced elsewhere. */
export function rests({ assignment }: Workload, hub: HubView): boolean {
  return assignment !== undefined && restsAs(assignment, hub);
}

/** Whether what was given by this assignment may not run now, whatever is wanted meanwhile. */
export function restsAs(assignment: Assignment, hub: HubView): boolean {
  const { losses, orphan, orphanStopAfterMs: stopAfterMs } = assignment;
  return restsWithout(hub, { single: isSingle(assignment), losses, orphan, stopAfterMs });
}

/** Whether what runs is meant to end by itself. */
function ends({ type }: Assignment): boolean {
  return type === 'job' || type === 'cron';
}

/** When a cron was last due here and when it will be; undefined for anything else. */
export function cronTimesOf(workload: Workload, nowMs: number): Observed['runs'] {
  const cron = wantedOf(workload)?.cron;
  if (cron === undefined) return undefined;
  const { lastMs, nextMs } = runsOf(cron, [...workload.replicas.values()].map(heldOf), nowMs);
  return {
    ...(lastMs === undefined ? {} : { last: new Date(lastMs).toISOString() }),
    ...(nextMs === undefined ? {} : { next: new Date(nextMs).toISOString() }),
  };
}

/** The version that was decided on here; undefined while there is nothing to report. */
export function versionOf({ held }: Workload): Version | undefined {
  return held === undefined || !isWorkloadObject(held.object) ? undefined : held.object.version;
}

/** How what runs is stopped. A singleton gets no more time than its lease leaves it, whyever it is stopped. */
export function stopOf(assignment: Assignment): Assignment['run']['stop'] {
  const { stop } = assignment.run;
  if (!isSingle(assignment)) return stop;
  return { ...stop, graceMs: Math.min(stop.graceMs, SINGLETON_LEASE.graceMs) };
}
