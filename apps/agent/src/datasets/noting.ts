import { nameSchema, Refusal, type Assignment } from '@skerry/contracts';
import type { RefusalsHere } from './refused-here.js';

/** The access itself was refused, and not what was written. */
const REFUSED: ReadonlySet<string> = new Set(['forbidden', 'conflict', 'residency']);

/** What a workload asks of a dataset of its project. */
export interface AskedHere {
  caller: Pick<Assignment, 'project' | 'name'>;
  /** The dataset. */
  name: string;
  what: 'read' | 'write';
  /** There is none of this name here. */
  missing: () => boolean;
}

/** Does what a workload asks; what it may not is told to the hub, for the record of the dataset. */
export async function noting<T>(
  refusals: Pick<RefusalsHere, 'note'> | undefined,
  { caller: { project, name: workload }, name, what, missing }: AskedHere,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    // A name that nothing can have says nothing.
    const named = nameSchema.safeParse(name).success;
    if (named && error instanceof Refusal && (REFUSED.has(error.code) || missing()))
      refusals?.note({ project, name, what, by: `workload ${project}/${workload}`, why: error.message });
    throw error;
  }
}
