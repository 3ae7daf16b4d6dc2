import {
  workloadSpecSchema,
  type Placement,
  type Site,
  type Version,
  type Workload,
} from '@skerry/contracts';

/** Whole objects for the tests of this room, from the few fields that matter there. */

const DIGEST = `sha256:${'0'.repeat(64)}`;
const AT = '2026-01-01T00:00:00.000Z';

export const version = (generation: number, revision: number, term = 1): Version => ({
  term,
  generation,
  revision,
});

export function workload(change: Partial<Workload> = {}, replicas = 1): Workload {
  const spec = workloadSpecSchema.parse({ run: { command: ['true'] }, placement: { replicas } });
  return {
    kind: 'Workload',
    project: 'shop',
    name: 'web',
    labels: {},
    generation: 1,
    spec,
    specDigest: DIGEST,
    demand: [],
    stopped: false,
    removed: false,
    createdAt: AT,
    updatedAt: AT,
    requestId: 'request-1',
    commandSequence: 1,
    ...change,
  };
}

export function placement(shares: Record<string, number>, change: Partial<Placement> = {}): Placement {
  return {
    kind: 'Placement',
    project: 'shop',
    name: 'web',
    version: version(1, 1),
    specDigest: DIGEST,
    state: 'placed',
    wanted: Object.values(shares).reduce((a, b) => a + b, 0),
    shares: Object.entries(shares).map(([site, replicas]) => ({
      site,
      replicas,
      why: 'cheapest with room',
      demandShare: 0,
      latencyMs: 0,
      measured: true,
      costPerMonth: 0,
    })),
    costPerMonth: 0,
    objective: 0,
    failedChecks: {},
    rejected: [],
    engine: { name: 'test', version: '1' },
    seed: 0,
    inputs: { workload: DIGEST, sites: DIGEST },
    decidedAt: AT,
    epoch: 1,
    requestId: 'request-1',
    ...change,
  };
}

export function site(name: string, membership: Site['membership'] = 'joined'): Site {
  return {
    name,
    kind: 'onprem',
    location: { lat: 0, lon: 0 },
    jurisdictions: [],
    provider: 'own',
    prices: { cpuCoreMonth: 0, memoryGiBMonth: 0, egressGiB: 0, gpuMonth: 0 },
    labels: {},
    rttMs: {},
    taints: [],
    links: {},
    datasets: [],
    generation: 3,
    account: `A${'A'.repeat(55)}`,
    membership,
    cordoned: false,
    createdAt: AT,
    updatedAt: AT,
    commandSequence: 1,
  };
}
