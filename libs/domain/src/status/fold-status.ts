import type { EventType, Status, WorkloadPhase } from '@skerry/contracts';
import { gather, type StatusInput } from './facts.js';
import { phaseOf } from './phase.js';
import { reasonsOf } from './reasons.js';

/**
 * The read model of one workload: wanted, placed and observed in one view. It depends on nothing else, so that it
 * can be rebuilt at any time. A lost site's replicas do not count as running; a completed one stays completed.
 */
export function foldStatus(input: StatusInput): Status {
  const facts = gather(input);
  const { workload, placement } = facts;
  const phase = phaseOf(facts);
  return {
    kind: 'Status',
    project: workload.project,
    name: workload.name,
    type: workload.spec.type,
    phase,
    generation: workload.generation,
    ...(input.placement === undefined ? {} : { version: input.placement.version }),
    wanted: facts.wanted,
    running: facts.running,
    ...(placement?.latencyMs === undefined ? {} : { latencyMs: placement.latencyMs }),
    ...(placement === undefined ? {} : { costPerMonth: placement.costPerMonth }),
    sites: facts.sites.map((s) => s.status),
    reasons: reasonsOf(facts, phase),
    updatedAt: input.at,
  };
}

/** The event that a change to this phase is announced by, if any. */
export function announcedAs(phase: WorkloadPhase): EventType | undefined {
  switch (phase) {
    case 'starting':
      return 'workload.starting';
    case 'running':
      return 'workload.running';
    case 'degraded':
      return 'workload.degraded';
    case 'stopped':
      return 'workload.stopped';
    case 'completed':
      return 'workload.completed';
    case 'failed':
      return 'workload.failed';
    case 'removed':
      return 'workload.gone';
    case 'placing':
    case 'unplaceable':
    case 'stopping':
      // Said by the scheduler, or on the way to something that is said.
      return undefined;
  }
}
