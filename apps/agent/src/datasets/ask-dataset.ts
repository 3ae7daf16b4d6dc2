import {
  DATASET_READS,
  datasetOperationSchema,
  parse,
  Refusal,
  workloadKey,
  type Assignment,
  type DatasetAnswer,
  type DatasetOperation,
} from '@skerry/contracts';
import type { Copies } from './copies.js';
import { homeHere, type HomeHere } from './home-here.js';
import { noting } from './noting.js';
import { noCopy, operate } from './operate.js';
import type { RefusalsHere } from './refused-here.js';

/** Who asks: the workload that the replica is of. */
export type Caller = Pick<Assignment, 'project' | 'name' | 'data'>;

/** Who asks, once that is known; thrown is what one hears whom nobody knows. */
export function known(caller: Caller | undefined): Caller {
  if (caller !== undefined) return caller;
  throw new Refusal('unauthorized', 'no replica here has this token');
}

export interface DatasetDesk {
  copies: Copies;
  refusals?: Pick<RefusalsHere, 'note'> | undefined;
}

/**
 * Does what a replica asks of a dataset of its project, by whatever way it came: `operation` is a `DatasetOperation` without the
 * project. Throws a `Refusal`.
 */
export async function askDataset(
  { copies, refusals }: DatasetDesk,
  caller: Caller,
  operation: object,
): Promise<DatasetAnswer> {
  const asked = parsed({ ...operation, project: caller.project });
  const { project, name, verb } = asked;
  const missing = () => copies.get(workloadKey(project, name)) === undefined;
  const what = DATASET_READS.has(verb) ? ('read' as const) : ('write' as const);
  return await noting(refusals, { caller, name, what, missing }, async () => {
    refuseReader(caller, asked);
    return await operate(copies, asked);
  });
}

/** Who writes a dataset of the project of who asks, as this node knows. Throws a `Refusal`. */
export async function askHome(
  { copies, refusals }: DatasetDesk,
  caller: Caller,
  name: string,
): Promise<{ home: HomeHere }> {
  const { project } = caller;
  const kept = copies.get(workloadKey(project, name));
  return await noting(
    refusals,
    { caller, name, what: 'read', missing: () => kept === undefined },
    async () => {
      if (kept === undefined) throw noCopy({ project, name }, copies.site);
      return { home: homeHere(kept.copy, copies.site) };
    },
  );
}

/** Throws a `Refusal` when a workload that says it only reads a dataset wants to write to it. */
export function refuseReader(
  { project, name, data = [] }: Caller,
  { verb, name: dataset }: Pick<DatasetOperation, 'verb' | 'name'>,
): void {
  if (DATASET_READS.has(verb) || data.find((use) => use.dataset === dataset)?.access !== 'read') return;
  throw new Refusal('forbidden', `${project}/${name} reads ${dataset} and does not write it`, {
    hint: `apply ${name} with {dataset: ${dataset}, access: write} in spec.data`,
  });
}

function parsed(value: object): DatasetOperation {
  const result = parse(datasetOperationSchema, value);
  if (result.ok) return result.value;
  throw new Refusal('invalid', 'not what can be asked of a dataset', { issues: result.issues });
}
