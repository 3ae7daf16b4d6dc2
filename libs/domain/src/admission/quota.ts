import type { Issue, Quota, QuotaLimits, QuotaUse, Workload } from '@skerry/contracts';
import { replicaRange } from '../placement/index.js';
import type { AdmissionState, Claim } from './types.js';

/** What a workload takes; undefined when it was removed. */
export function claimOf(workload: Workload): Claim | undefined {
  const { name, spec, stopped, removed } = workload;
  if (removed) return undefined;
  const replicas = stopped ? 0 : replicaRange(spec.placement).max;
  const { cpuMillicores, memoryMiB, gpu } = spec.resources;
  return {
    name,
    replicas,
    cpuMillicores: replicas * cpuMillicores,
    memoryMiB: replicas * memoryMiB,
    gpus: (replicas * (gpu?.shareMilli ?? (gpu?.count ?? 0) * 1_000)) / 1_000,
  };
}

/** What the changed workloads would put over their projects' quotas: every limit that is passed, unless it is passed no further than now. */
export function overQuota(changed: readonly Workload[], state: AdmissionState): Issue[] {
  const projects = new Set(changed.map((w) => w.project));
  return [...projects].toSorted().flatMap((project) => {
    const quota = state.quota(project);
    return quota ? passed(quota, changed, state) : [];
  });
}

/** The limits of a quota alone; none when there is no quota, or when it was removed. */
export function limitsOf(quota: Quota | undefined): QuotaLimits {
  if (!quota) return {};
  const { workloads, replicas, cpuMillicores, memoryMiB, gpus, budgetPerMonth } = quota;
  const all = { workloads, replicas, cpuMillicores, memoryMiB, gpus, budgetPerMonth };
  return Object.fromEntries(Object.entries(all).filter(([, limit]) => limit !== undefined));
}

const LIMITED = ['workloads', 'replicas', 'cpuMillicores', 'memoryMiB', 'gpus'] as const;
type Usage = Omit<QuotaUse, 'budgetPerMonth'>;

function passed(quota: Quota, changed: readonly Workload[], state: AdmissionState): Issue[] {
  const { project } = quota;
  const claims = new Map([...state.claimsOf(project)].map((claim) => [claim.name, claim]));
  const before = useOf(claims.values());
  for (const workload of changed) {
    const claim = workload.project === project ? claimOf(workload) : undefined;
    if (claim) claims.set(claim.name, claim);
    else if (workload.project === project) claims.delete(workload.name);
  }
  const after = useOf(claims.values());
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

/** What they take together. What is placed of them costs is not known here. */
export function useOf(claims: Iterable<Claim>): Usage {
  const usage: Usage = { workloads: 0, replicas: 0, cpuMillicores: 0, memoryMiB: 0, gpus: 0 };
  for (const claim of claims) {
    usage.workloads += 1;
    usage.replicas += claim.replicas;
    usage.cpuMillicores += claim.cpuMillicores;
    usage.memoryMiB += claim.memoryMiB;
    usage.gpus += claim.gpus;
  }
  return usage;
}
