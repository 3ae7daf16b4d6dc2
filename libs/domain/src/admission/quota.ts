import type { Issue, Quota, Workload } from '@skerry/contracts';
import type { AdmissionState } from './types.js';

/** What workloads take: every replica they want, whether it is placed yet or not. Stopped and removed ones take nothing. */
export interface Usage {
  workloads: number;
  replicas: number;
  cpuMillicores: number;
  memoryMiB: number;
}

export function usageOf(workloads: Iterable<Workload>): Usage {
  const usage: Usage = { workloads: 0, replicas: 0, cpuMillicores: 0, memoryMiB: 0 };
  for (const { spec, stopped, removed } of workloads) {
    if (removed) continue;
    usage.workloads += 1;
    const replicas = stopped ? 0 : spec.placement.replicas;
    usage.replicas += replicas;
    usage.cpuMillicores += replicas * spec.resources.cpuMillicores;
    usage.memoryMiB += replicas * spec.resources.memoryMiB;
  }
  return usage;
}

/** What the changed workloads would put over their projects' quotas: every limit that is passed, and none that is not passed further than now. */
export function overQuota(changed: readonly Workload[], state: AdmissionState): Issue[] {
  const projects = new Set(changed.map((w) => w.project));
  return [...projects].toSorted().flatMap((project) => {
    const quota = state.quota(project);
    return quota ? passed(quota, project, changed, state) : [];
  });
}

const LIMITED = ['workloads', 'replicas', 'cpuMillicores', 'memoryMiB'] as const;

function passed(quota: Quota, project: string, changed: readonly Workload[], state: AdmissionState): Issue[] {
  const now = new Map([...state.workloadsOf(project)].map((w) => [w.name, w]));
  const before = usageOf(now.values());
  for (const workload of changed) if (workload.project === project) now.set(workload.name, workload);
  const after = usageOf(now.values());
  return LIMITED.flatMap((limit): Issue[] => {
    const most = quota[limit];
    if (most === undefined || after[limit] <= most || after[limit] <= before[limit]) return [];
    return [
      {
        path: `quota.${project}.${limit}`,
        problem: 'over quota',
        value: String(after[limit]),
        allowed: `at most ${most} (in use ${before[limit]})`,
      },
    ];
  });
}
