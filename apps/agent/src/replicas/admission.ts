import type { Assignment, CheckResult, DriverName } from '@skerry/contracts';
import { Given, type Need, type Room } from '@skerry/domain';

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

/** Decides whether an assignment fits on this node beside what it has taken on. */
export class Admission {
  private readonly given = new Given();

  constructor(
    private readonly allocatable: Room,
    private readonly drivers: readonly DriverName[],
  ) {}

  /** What the node has taken on for a workload from now on; undefined for nothing. */
  take(key: string, assignment: Assignment | undefined): void {
    this.given.set(key, assignment && needOf(assignment));
  }

  /** The first check it fails beside all other workloads, or undefined. */
  misfit(key: string, assignment: Assignment): CheckResult | undefined {
    const node = { allocatable: this.allocatable, drivers: this.drivers };
    return this.given.misfit(key, needOf(assignment), node);
  }
}
