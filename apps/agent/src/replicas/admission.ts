import type { Assignment, CheckResult, DriverName } from '@skerry/contracts';
import { Given, type GpusBySlot, type Need, type Room } from '@skerry/domain';

/** What an assignment needs of this node. */
export function needOf(assignment: Assignment): Need {
  const fixed = assignment.run.ports.flatMap((p) =>
    p.port === undefined ? [] : [`${p.protocol}/${p.port}`],
  );
  return {
    replicas: assignment.replicas,
    each: assignment.resources,
    driver: assignment.run.driver,
    // Pretended replicas open no ports.
    fixedPorts: assignment.run.driver === 'mock' ? [] : fixed,
  };
}

/** Decides whether an assignment fits on this node beside what it has taken on, and which GPUs each replica gets. */
export class Admission {
  private readonly given: Given;

  constructor(allocatable: Room, drivers: readonly DriverName[]) {
    this.given = new Given({ allocatable, drivers });
  }

  /** What the node has taken on for a workload from now on; undefined for nothing. What runs keeps its GPUs: `held` by slot. */
  take(key: string, assignment: Assignment | undefined, held?: GpusBySlot): void {
    this.given.set(key, assignment && needOf(assignment), held);
  }

  /** The first check it fails beside all other workloads, or undefined. */
  misfit(key: string, assignment: Assignment): CheckResult | undefined {
    return this.given.misfit(key, needOf(assignment));
  }

  /** GPUs of a replica by index on this node; undefined when none is left for it. */
  gpusOf(key: string, slot: number): readonly number[] | undefined {
    return this.given.gpusOf(key, slot);
  }
}
