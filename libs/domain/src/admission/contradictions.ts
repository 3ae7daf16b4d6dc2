import type { Issue, Site, WorkloadSpec } from '@skerry/contracts';
import { cronFaults, restartFaults, typeFaults } from './contradictions/running.js';
import { labelFaults } from './contradictions/labels.js';
import { pairFaults } from './contradictions/pairs.js';
import { countFaults, priorityFaults, userFaults } from './contradictions/numbers.js';
import { spreadFaults } from './contradictions/spread.js';

/** A spec that is looked at, and whose it is. */
export interface Draft {
  readonly project: string;
  readonly name: string;
  readonly spec: WorkloadSpec;
}

/** What rules may be judged by beside the spec itself. */
export interface Around {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Another workload as it would be after the command; undefined when there is none. */
  workload(project: string, name: string): Draft | undefined;
  /** Sites that are known; removed ones too. */
  sites(): Iterable<Pick<Site, 'jurisdictions'>>;
}

/** A reason to refuse; one group of them a file, each with a line here. */
export type Contradiction = (draft: Draft, around: Around) => Issue[];

const CONTRADICTIONS: readonly Contradiction[] = [
  typeFaults,
  restartFaults,
  cronFaults,
  labelFaults,
  spreadFaults,
  countFaults,
  userFaults,
  priorityFaults,
  pairFaults,
];

/**
 * Rules of a spec that no cloud could ever satisfy, all at once. What only the present sites cannot satisfy is not refused:
 * it is admitted, and the scheduler says why it is unplaceable until something changes.
 */
export function contradictions(draft: Draft, around: Around): Issue[] {
  return CONTRADICTIONS.flatMap((contradiction) => contradiction(draft, around));
}
