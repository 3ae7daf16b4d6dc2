import type { DatasetSpec, Issue, Site, WorkloadSpec } from '@skerry/contracts';
import { mayReside } from '../placement/checks/residency.js';
import { homeWith } from '../datasets/home.js';
import { residencyInWords, wallOf } from '../datasets/admit-copies.js';

/** What the datasets that a workload names are judged by. */
export interface DatasetsAround {
  /** A dataset of the workload's project as it would be after the command; undefined when there is none. */
  dataset(name: string): Pick<DatasetSpec, 'type' | 'residency' | 'home' | 'log'> | undefined;
  sites(): Iterable<Pick<Site, 'jurisdictions'>>;
}

/** What speaks against the datasets that a workload says it uses. */
export function datasetUseIssues(
  { project, name, spec }: { project: string; name: string; spec: WorkloadSpec },
  around: DatasetsAround,
): Issue[] {
  return (spec.data ?? []).flatMap(({ dataset, access }, at): Issue[] => {
    const path = `spec.data[${at}].dataset`;
    const found = around.dataset(dataset);
    if (found === undefined) {
      const allowed = `datasets of project ${project}, as "skerry data ls" shows them, or one in the same command`;
      return [{ path, problem: 'there is no such dataset', value: `${project}/${dataset}`, allowed }];
    }
    if (access === 'write' && found.type === 'log' && found.log?.flow === 'broadcast') {
      const problem = `entries of ${dataset} are written at the centre (log.flow: broadcast)`;
      return [{ path: `spec.data[${at}].access`, problem, value: access, allowed: 'read' }];
    }
    const home = homeWith(found);
    if (access === 'write' && home !== undefined && home !== name) {
      const problem = `only ${home} writes ${dataset}, whose home goes with it`;
      return [{ path: `spec.data[${at}].access`, problem, value: access, allowed: 'read' }];
    }
    // Also where the name was another's, whose dataset stayed.
    if (access === 'write' && home !== undefined && spec.type !== 'singleton') {
      const problem = `the home of ${dataset} goes with it, and of type ${spec.type} two may run at a time`;
      return [{ path: 'spec.type', problem, value: spec.type, allowed: 'singleton' }];
    }
    return nowhere(spec, found, around).map((problem) => ({
      path: `${path} (residency)`,
      problem,
      value: dataset,
      allowed: `a rule in spec.placement.residency that leaves it a place where ${dataset} may be (${residencyInWords(found.residency)})`,
    }));
  });
}

/** Two rules that no place can obey: what one asks for the other denies, or none that is known is in what both ask for. */
function nowhere(
  { placement: { residency: run } }: WorkloadSpec,
  { residency }: Pick<DatasetSpec, 'residency'>,
  around: DatasetsAround,
): string[] {
  const wall = wallOf(residency);
  if (run === undefined || wall === undefined) return [];
  const { allow: runs, deny: runsNot } = run;
  const { allow: stays, deny: staysNot } = wall;
  if (runs !== undefined && runs.every((j) => staysNot?.includes(j)))
    return [`it may not be in ${runs.join(', ')}, where alone the workload may run`];
  if (stays !== undefined && stays.every((j) => runsNot?.includes(j)))
    return [`it stays in ${stays.join(', ')}, where the workload may not run`];
  if (runs === undefined || stays === undefined || runs.some((j) => stays.includes(j))) return [];
  // One place may be in two jurisdictions.
  if ([...around.sites()].some((site) => mayReside(site, run) && mayReside(site, wall))) return [];
  return [`it stays in ${stays.join(', ')}, and the workload runs in ${runs.join(', ')} alone`];
}
