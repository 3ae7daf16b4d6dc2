import type { Assignment, CheckResult, DriverName } from '@skerry/contracts';
import { eachNeedOf, Given, type GpusBySlot, type Need, type Room } from '@skerry/domain';

/** What an assignment needs of this node; `slots`: which of its replicas are this node's, default all. */
export function needOf(assignment: Assignment, slots?: ReadonlySet<number>): Need {
  const each = eachNeedOf(assignment);
  if (slots === undefined) return { ...each, replicas: assignment.replicas };
  return { ...each, replicas: slots.size, slots: { mine: [...slots], of: assignment.replicas } };
}

/** Decides whether an assignment fits on this node beside what it has taken on, and which GPUs each replica gets. */
export class Admission {
  private readonly given: Given;

  constructor(allocatable: Room, drivers: readonly DriverName[]) {
    this.given = new Given({ allocatable, drivers });
  }

  /** What the node has taken on for a workload from now on; undefined for nothing. What runs keeps its GPUs: `held` by slot. */
  take(
    key: string,
    assignment: Assignment | undefined,
    { held, slots }: { held?: GpusBySlot; slots?: ReadonlySet<number> | undefined } = {},
  ): void {
    this.given.set(key, assignment && needOf(assignment, slots), held);
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
