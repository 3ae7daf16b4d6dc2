import type { Assignment, CheckResult, Version } from '@skerry/contracts';
import type { Wanted } from '@skerry/domain';
import type { HeldObject } from '../desired/held-object.js';
import { templateText, type ReplicaRecord } from './replica-record.js';

/** One workload at this node: what is wanted of it, and what there is. */
export interface Workload {
  readonly key: string;
  readonly project: string;
  readonly name: string;
  /** The newest object; its version is what reports are about. */
  held: HeldObject | undefined;
  /** What runs: the newest assignment that fitted. Undefined: nothing shall. */
  assignment: Assignment | undefined;
  /** `template` of `assignment`, worked out once. */
  template: string;
  /** Why the newest assignment was refused. */
  refusal: CheckResult | undefined;
  /** The newest assignment does not fit now but may in a moment; decided by this timer. */
  undecided: NodeJS.Timeout | undefined;
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
    template: '',
    refusal: undefined,
    undecided: undefined,
    replicas: new Map(),
    wake: undefined,
    clearing: 0,
  };
}

/** Sets what shall run. */
export function assign(workload: Workload, assignment: Assignment | undefined): void {
  workload.assignment = assignment;
  workload.template = assignment === undefined ? '' : templateText(assignment);
}

/** What the pure decision needs to know of the assignment. At a site that is cut off, orphans rest that shall. */
export function wantedOf({ assignment, template }: Workload, cutOff: boolean): Wanted | undefined {
  if (assignment === undefined) return undefined;
  const { restart } = assignment.run;
  return {
    replicas: assignment.replicas,
    template,
    policy: restart.policy ?? (assignment.type === 'job' ? 'on-failure' : 'always'),
    backoffMs: restart.backoffMs,
    maxBackoffMs: restart.maxBackoffMs,
    maxUnavailable: assignment.update.maxUnavailable,
    healthyDeadlineMs: assignment.update.healthyDeadlineMs,
    paused: cutOff && assignment.orphan === 'stop',
  };
}

/** The version that was decided on here; undefined while there is nothing to report. */
export function versionOf({ held }: Workload): Version | undefined {
  return held === undefined || held.object.kind === 'Retirement' ? undefined : held.object.version;
}
