import type { Assignment, CheckResult, DriverName } from '@skerry/contracts';
import { firstMisfit, type Need, type Room } from '@skerry/domain';

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

/** Decides whether an assignment fits on this node beside the others. */
export class Admission {
  /** Needs by assignment: they are asked for at each decision, of everything the node has taken on. */
  private readonly needs = new WeakMap<Assignment, Need>();

  constructor(
    private readonly allocatable: Room,
    private readonly drivers: readonly DriverName[],
  ) {}

  /** The first check it fails, or undefined. `beside`: what the node has taken on already, without this workload. */
  misfit(assignment: Assignment, beside: readonly Assignment[]): CheckResult | undefined {
    const node = { allocatable: this.allocatable, drivers: this.drivers };
    return firstMisfit(
      this.need(assignment),
      node,
      beside.map((a) => this.need(a)),
    );
  }

  private need(assignment: Assignment): Need {
    const known = this.needs.get(assignment);
    if (known !== undefined) return known;
    const need = needOf(assignment);
    this.needs.set(assignment, need);
    return need;
  }
}
