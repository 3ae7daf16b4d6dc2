import { exampleSite, siteDescriptionSchema, workloadSpecSchema, type Workload } from '@skerry/contracts';
import { Ledger, siteFacts, type PlaceRequest, type SiteFacts, type Snapshot } from '@skerry/domain';

/** Clouds and workloads for the benchmarks of placement: the engine alone, in memory, without a hub. */

export const NOW = Date.parse('2026-01-01T00:00:00.000Z');
const AT = new Date(NOW).toISOString();

export interface SiteOf {
  readonly name: string;
  readonly lat: number;
  readonly lon: number;
  readonly jurisdictions?: readonly string[];
  readonly rttMs?: Readonly<Record<string, number>>;
  readonly cpuCoreMonth?: number;
  readonly egressGiB?: number;
  readonly provider?: string;
  /** Nodes of `cores` each, with 4 GiB for a core. */
  readonly nodes: number;
  readonly cores: number;
}

/** A joined, ready site. */
export function siteOf(of: SiteOf): SiteFacts {
  const description = siteDescriptionSchema.parse({
    name: of.name,
    location: { lat: of.lat, lon: of.lon },
    jurisdictions: of.jurisdictions ?? [],
    rttMs: of.rttMs ?? {},
    provider: of.provider ?? 'own',
    prices: { cpuCoreMonth: of.cpuCoreMonth ?? 0, egressGiB: of.egressGiB ?? 0 },
  });
  const shape = { cpuMillicores: of.cores * 1_000, memoryMiB: of.cores * 4_096, diskMiB: of.cores * 20_480 };
  return siteFacts(exampleSite(of.name, description), {
    kind: 'SiteState',
    site: of.name,
    phase: 'ready',
    since: AT,
    capacity: { shapes: [{ nodes: of.nodes, ...shape }], drivers: ['process', 'mock'] },
    nodes: of.nodes,
    revision: 1,
  });
}

export interface WorkloadOf {
  readonly name: string;
  /** `spec.placement` as people write it. */
  readonly rules: Readonly<Record<string, unknown>>;
  /** Weights in any unit. */
  readonly users: readonly { readonly lat: number; readonly lon: number; readonly weight: number }[];
  readonly cpuMillicores?: number;
  readonly memoryMiB?: number;
}

/** A service; by default 1 core and 1 GiB for a replica. */
export function workloadOf(of: WorkloadOf): Workload {
  const sum = of.users.reduce((total, u) => total + u.weight, 0);
  const resources = { cpuMillicores: of.cpuMillicores ?? 1_000, memoryMiB: of.memoryMiB ?? 1_024 };
  return {
    kind: 'Workload',
    project: 'bench',
    name: of.name,
    labels: {},
    generation: 1,
    spec: workloadSpecSchema.parse({ run: { driver: 'mock' }, resources, placement: of.rules }),
    specDigest: `sha256:${'0'.repeat(64)}`,
    demand: of.users.map(({ lat, lon, weight }, i) => ({
      label: `users ${i}`,
      lat,
      lon,
      weight: weight / sum,
    })),
    stopped: false,
    removed: false,
    createdAt: AT,
    updatedAt: AT,
    requestId: 'bench-1',
    commandSequence: 1,
  };
}

/** The sites with a ledger of their capacity. */
export function cloudOf(sites: readonly SiteFacts[]): Snapshot & { ledger: Ledger } {
  const ledger = new Ledger();
  for (const s of sites) if (s.state) ledger.setCapacity(s.name, s.state.capacity);
  return { sites, ledger };
}

export function requestOf(workload: Workload, more: Partial<PlaceRequest> = {}): PlaceRequest {
  return { workload, present: new Map(), refusals: new Map(), now: NOW, ...more };
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
