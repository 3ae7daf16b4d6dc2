import { MemoryBus, MemoryServer, type Bus } from '@skerry/bus';
import {
  BUCKETS,
  datasetSchema,
  datasetSpecSchema,
  observedSubject,
  placementSchema,
  quotaSchema,
  siteSchema,
  siteStateSchema,
  STREAMS,
  workloadSchema,
  workloadSpecSchema,
  type Dataset,
  type DatasetSpec,
  type Observed,
  type Placement,
  type Quota,
  type Site,
  type SiteState,
  type Workload,
  exampleSite,
  exampleWorkload,
} from '@skerry/contracts';
import { BASE_VARIABLES, JsonLog, parseConfig, startService, type RunningService } from '@skerry/service';
import { SCHEDULER_VARIABLES } from './config.js';
import { SCHEDULER } from './service.js';
import { digestOf } from './stores/digest.js';

const AT = '2026-01-01T00:00:00.000Z';

export interface SiteExample {
  cpuMillicores?: number;
  phase?: SiteState['phase'];
  since?: string;
  state?: Partial<SiteState>;
  change?: Partial<Site>;
}
export interface WorkloadExample {
  replicas?: number;
  cpuMillicores?: number;
  generation?: number;
  rules?: Record<string, unknown>;
  type?: Workload['spec']['type'];
  change?: Partial<Workload>;
}

/** A site with one node. */
export function siteOf(name: string, example: SiteExample = {}): { site: Site; state: SiteState } {
  const site = exampleSite(name, { location: { lat: 50, lon: 8 }, ...example.change });
  const shape = { nodes: 1, cpuMillicores: example.cpuMillicores ?? 4_000, memoryMiB: 65_536, diskMiB: 0 };
  const state = siteStateSchema.parse({
    kind: 'SiteState',
    site: name,
    phase: example.phase ?? 'ready',
    since: example.since ?? AT,
    capacity: { shapes: [shape], drivers: ['mock'] },
    nodes: 1,
    revision: 1,
    ...example.state,
  });
  return { site, state };
}

/** A workload whose replicas need one core each. */
export function workloadOf(name: string, example: WorkloadExample = {}): Workload {
  return exampleWorkload({
    name,
    generation: example.generation ?? 1,
    spec: workloadSpecSchema.parse({
      type: example.type ?? 'service',
      run: { driver: 'mock' },
      resources: { cpuMillicores: example.cpuMillicores ?? 1_000, memoryMiB: 1 },
      placement: { replicas: example.replicas ?? 1, ...example.rules },
    }),
    ...example.change,
  });
}

/** A dataset of project `shop` with values under keys. */
export function datasetOf(name: string, spec: Partial<DatasetSpec> = {}, generation = 1): Dataset {
  return datasetSchema.parse({
    kind: 'Dataset',
    project: 'shop',
    name,
    labels: {},
    generation,
    incarnation: 1,
    spec: { ...datasetSpecSchema.parse({ type: 'keyvalue' }), ...spec },
    specDigest: digestOf(spec),
    removed: false,
    createdAt: AT,
    updatedAt: AT,
    requestId: 'request-1',
    commandSequence: 1,
  });
}

/** A workload that says it reads a dataset. */
export function readerOf(name: string, dataset: string, example: WorkloadExample = {}): Workload {
  const { spec, ...rest } = workloadOf(name, example);
  return { ...rest, spec: { ...spec, data: [{ dataset, access: 'read' }] } };
}

/** A report that a site does not take what it was given. */
export function refusalOf(site: string, name: string, placement: Placement, report: number): Observed {
  return {
    kind: 'Observed',
    site,
    project: 'shop',
    name,
    version: placement.version,
    state: 'refused',
    refusal: { check: 'memory', ok: false, has: '1 MiB', needs: '64 MiB' },
    wanted: 1,
    replicas: [],
    reportedAt: AT,
    report,
  };
}

/** A report that so many replicas run and are healthy. */
export function runningAt(site: string, name: string, placement: Placement, count: number): Observed {
  const { version } = placement;
  return {
    kind: 'Observed',
    site,
    project: 'shop',
    name,
    version,
    state: 'accepted',
    wanted: count,
    replicas: Array.from({ length: count }, (_, slot) => ({
      id: `${name}-${slot}`,
      slot,
      node: 'n1',
      phase: 'running' as const,
      version,
      addresses: {},
      restarts: 0,
      since: AT,
    })),
    reportedAt: AT,
    report: 1,
  };
}

/** What the other services own, written by hand on any bus; and what the scheduler answers. */
export class Around {
  constructor(readonly bus: Bus) {}

  async prepare(): Promise<void> {
    for (const stream of Object.values(STREAMS)) await this.bus.ensureStream(stream);
    for (const bucket of Object.values(BUCKETS)) await this.bus.ensureBucket(bucket);
  }

  async putSite(name: string, example: SiteExample = {}): Promise<void> {
    const { site, state } = siteOf(name, example);
    await this.bus.bucket(BUCKETS.siteStates, (v) => siteStateSchema.parse(v)).set(name, state);
    await this.bus.bucket(BUCKETS.siteSpecs, (v) => siteSchema.parse(v)).set(name, site);
  }

  async putWorkload(name: string, example: WorkloadExample = {}): Promise<void> {
    const bucket = this.bus.bucket(BUCKETS.workloads, (v) => workloadSchema.parse(v));
    await bucket.set(`shop.${name}`, workloadOf(name, example));
  }

  async putDataset(dataset: Dataset): Promise<void> {
    const bucket = this.bus.bucket(BUCKETS.datasets, (v) => datasetSchema.parse(v));
    await bucket.set(`shop.${dataset.name}`, dataset);
  }

  async report(report: Observed): Promise<void> {
    await this.bus.publish(observedSubject(report.site, report.project, report.name), report);
  }

  async placement(name: string): Promise<Placement | undefined> {
    const bucket = this.bus.bucket(BUCKETS.placements, (v) => placementSchema.parse(v));
    return (await bucket.get(`shop.${name}`))?.value;
  }

  async putQuota(quota: Partial<Quota>): Promise<void> {
    const bucket = this.bus.bucket(BUCKETS.policies, (v) => quotaSchema.parse(v));
    await bucket.set('quota.shop', { kind: 'Quota', project: 'shop', ...quota });
  }

  /** Waits until a workload is placed so, without what waits for its site to return. */
  async placed(name: string, where: Record<string, number>): Promise<Placement> {
    return await until(`${name} at ${JSON.stringify(where)}`, async () => {
      const placement = await this.placement(name);
      const there = (placement?.shares ?? []).filter((s) => s.until !== 'returned');
      const counts = Object.fromEntries(there.map((s) => [s.site, s.replicas]));
      return JSON.stringify(counts) === JSON.stringify(where) && placement;
    });
  }

  /** Waits until a workload is `placed`, `unplaceable`, `stopped`... */
  async inState(name: string, state: string): Promise<Placement> {
    return await until(`${name} is ${state}`, async () => {
      const placement = await this.placement(name);
      return placement?.state === state && placement;
    });
  }

  /** Replicas by site. */
  async where(name: string): Promise<Record<string, number> | undefined> {
    const placement = await this.placement(name);
    return placement && Object.fromEntries(placement.shares.map((s) => [s.site, s.replicas]));
  }
}

/** Several schedulers and their surroundings on one server in memory. */
export class MemoryCloud extends Around {
  readonly running: RunningService[] = [];
  readonly lines: string[] = [];

  private constructor(private readonly server: MemoryServer) {
    super(new MemoryBus(server));
  }

  static async start(schedulers = 1): Promise<MemoryCloud> {
    const cloud = new MemoryCloud(new MemoryServer());
    await cloud.prepare();
    for (let i = 0; i < schedulers; i += 1) await cloud.startScheduler(`s${i}`);
    return cloud;
  }

  async startScheduler(instance: string, env: Record<string, string> = {}): Promise<RunningService> {
    const variables = { ...BASE_VARIABLES, ...SCHEDULER_VARIABLES };
    const given = { SKERRY_NATS_URL: 'nats://memory', SKERRY_INSTANCE: instance, ...env };
    const config = parseConfig(variables, given);
    if (!config.ok) throw new Error(JSON.stringify(config.problems));
    const log = new JsonLog('scheduler', instance, 'warn', (line) => this.lines.push(line));
    const bus = new MemoryBus(this.server, { onAlarm: () => undefined });
    const service = await startService(SCHEDULER, config.value, { bus, log });
    this.running.push(service);
    return service;
  }

  async stop(): Promise<void> {
    for (const service of this.running) await service.stop();
    await this.bus.close();
  }
}

/** Polls until `look` finds something; fails after 10 s, saying what was waited for. */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
