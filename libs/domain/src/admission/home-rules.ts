import {
  workloadKey,
  type DatasetDocument,
  type Issue,
  type WorkloadDocument,
  type WorkloadSpec,
} from '@skerry/contracts';
import { homeWith } from '../datasets/home.js';
import type { AdmissionState } from './types.js';

/**
 * What speaks against homes that go with a workload, of datasets that are new: later they cannot change. The workload comes with
 * the dataset, since neither can be there without the other.
 */
export function homeIssues(
  datasets: readonly DatasetDocument[],
  documents: readonly WorkloadDocument[],
  state: Pick<AdmissionState, 'dataset'>,
): Issue[] {
  return datasets.flatMap(({ metadata: { project, name }, spec }): Issue[] => {
    const workload = homeWith(spec);
    const known = state.dataset(project, name);
    if (workload === undefined || known?.removed === false) return [];
    const key = workloadKey(project, workload);
    const found = documents.find(({ metadata: m }) => workloadKey(m.project, m.name) === key);
    return faults(found?.spec, name).map((problem) => ({
      path: `dataset ${name}: spec.home.with`,
      problem,
      value: workload,
      allowed: `a workload of project ${project} in the same command, of type singleton, with {dataset: ${name}, access: write} in spec.data`,
    }));
  });
}

function faults(spec: WorkloadSpec | undefined, dataset: string): string[] {
  if (spec === undefined) return ['there is no such workload in this command'];
  const writes = spec.data?.some((use) => use.dataset === dataset && use.access === 'write') === true;
  return [
    ...(spec.type === 'singleton' ? [] : [`it is of type ${spec.type}, of which two may run at a time`]),
    ...(writes ? [] : ['it does not say that it writes the dataset']),
  ];
}
