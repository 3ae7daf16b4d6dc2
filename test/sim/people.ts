import type { Bucket, Bus } from '@skerry/bus';
import {
  BUCKETS,
  siteSchema,
  workloadSchema,
  workloadSpecSchema,
  type Site,
  type Workload,
} from '@skerry/contracts';
import { EPOCH_MS, type Random } from '@skerry/sim';
import type { Cloud } from './cloud.js';

export const PROJECT = 'shop';
const DIGEST = `sha256:${'0'.repeat(64)}`;
const AT = new Date(EPOCH_MS).toISOString();
const AGAIN_MS = 500;

/** What people want and were told is accepted, in place of policy: it commits as policy does, by compare-and-set. */
export class People {
  /** The newest generation of each that was acknowledged. */
  readonly acknowledged = new Map<string, number>();
  /** Every generation that was ever sent off, by key. */
  private readonly generations = new Map<string, Map<number, Workload[]>>();
  private readonly current = new Map<string, Workload>();
  private readonly workloads: Bucket<Workload>;
  private readonly specs: Bucket<Site>;
  private readonly busy = new Set<string>();

  constructor(
    private readonly cloud: Cloud,
    private readonly random: Random,
    bus: Bus,
  ) {
    this.workloads = bus.bucket(BUCKETS.workloads, (v) => workloadSchema.parse(v));
    this.specs = bus.bucket(BUCKETS.siteSpecs, (v) => siteSchema.parse(v));
  }

  /** The hub has lost what it had acknowledged last: people look what is left, and go on from there. */
  forget(left: ReadonlyMap<string, Workload>): void {
    for (const key of this.current.keys()) {
      const now = left.get(key);
      if (now === undefined) this.current.delete(key);
      else this.current.set(key, now);
      const acknowledged = this.acknowledged.get(key) ?? 0;
      this.acknowledged.set(key, Math.min(acknowledged, now?.generation ?? 0));
    }
  }

  /** The newest generation that anybody may know of. */
  newest(key: string): Workload | undefined {
    return this.current.get(key);
  }

  /** What a generation may have been: after a loss its number is used again. */
  meant(key: string, generation: number): readonly Workload[] {
    return this.generations.get(key)?.get(generation) ?? [];
  }

  keys(): string[] {
    return [...this.current.keys()];
  }

  /** Registers all sites, as joining does. */
  async register(): Promise<void> {
    for (const { spec } of this.cloud.sites) await this.untilDone(() => this.specs.set(spec.name, spec));
  }

  async cordon(name: string, cordoned: boolean): Promise<void> {
    await this.changeSite(name, (site) => ({ ...site, cordoned }));
    this.cloud.say('people', `${cordoned ? 'cordon' : 'uncordon'} ${name}`);
  }

  /** What runs at a site is to go elsewhere, by a deadline or in its own time; or may stay after all. */
  async empty(name: string, kind: 'drain' | 'evacuate' | undefined, withinMs = 0): Promise<void> {
    const moment = (ms: number) => new Date(EPOCH_MS + this.cloud.timeline.now + ms).toISOString();
    const deadline = kind === 'evacuate' ? { deadline: moment(withinMs) } : {};
    await this.changeSite(name, ({ draining: _draining, departure: _departure, ...site }) =>
      kind === undefined
        ? site
        : { ...site, draining: true, departure: { kind, since: moment(0), ...deadline } },
    );
    this.cloud.say('people', kind === undefined ? `recall ${name}` : `${kind} ${name}`);
  }

  /** A node takes nothing new, or gives away what it has too; or may take again. */
  async rule(name: string, node: string, rule: 'cordoned' | 'draining' | undefined): Promise<void> {
    await this.changeSite(name, (site) => {
      const { [node]: _before, ...others } = site.nodes ?? {};
      const nodes = rule === undefined ? others : { ...others, [node]: rule };
      return { ...site, nodes, nodesGeneration: (site.nodesGeneration ?? 0) + 1 };
    });
    this.cloud.say('people', `node ${name}/${node} is ${rule ?? 'free'}`);
  }

  private async changeSite(name: string, change: (before: Site) => Site): Promise<void> {
    await this.untilDone(async () => {
      const entry = await this.specs.get(name);
      if (entry === undefined) return;
      const value = { ...change(entry.value), generation: entry.value.generation + 1 };
      await this.specs.put(name, value, entry.revision);
    });
  }

  /** A new workload of a kind that chance decides; `dressed` adds what else it has. */
  async add(name: string, dressed: (workload: Workload) => Workload = (w) => w): Promise<void> {
    await this.change(`${PROJECT}.${name}`, () => dressed(this.invent(name)));
  }

  /** Changes something of a workload: how many, what runs, where it may, or whether at all. */
  async alter(key: string): Promise<void> {
    const before = this.newest(key);
    if (before === undefined || before.removed) return;
    await this.change(key, () => this.altered(before));
  }

  /** Commits until it is acknowledged; one change of a key at a time. */
  private async change(key: string, make: () => Workload): Promise<void> {
    if (this.busy.has(key)) return;
    this.busy.add(key);
    const wanted = make();
    await this.untilDone(async () => {
      const there = await this.workloads.get(key);
      // An answer that got lost: it was stored.
      if (there?.value.requestId === wanted.requestId) return;
      const generation = (there?.value.generation ?? 0) + 1;
      const value = { ...wanted, generation };
      this.remember(key, value);
      await this.workloads.put(key, value, there?.revision ?? 0);
    });
    const { generation = 0 } = this.newest(key) ?? {};
    this.acknowledged.set(key, generation);
    this.cloud.say('people', `${key} generation ${generation} is accepted: ${inWords(wanted)}`);
    this.busy.delete(key);
  }

  private async untilDone(attempt: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await attempt();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  private remember(key: string, value: Workload): void {
    const known = this.generations.get(key) ?? new Map<number, Workload[]>();
    this.generations.set(key, known);
    known.set(value.generation, [...(known.get(value.generation) ?? []), value]);
    this.current.set(key, value);
  }

  private invent(name: string): Workload {
    const { random } = this;
    const type = random.weighted({ service: 6, singleton: 3, daemon: 1 });
    const residency = random.chance(0.3)
      ? { allow: random.pick([['eu', 'ch'], ['us', 'eu'], ['eu']]) }
      : undefined;
    const orphan = random.weighted({ keep: 3, stop: 1 });
    return this.workload(name, {
      spec: workloadSpecSchema.parse({
        type,
        run: {
          driver: 'process',
          command: ['serve'],
          env: { MARK: '1' },
          stop: { graceMs: random.pick([500, 2_000, 5_000]) },
        },
        ...(random.chance(0.6) ? { health: { exec: { command: ['check'] }, intervalMs: 1_000 } } : {}),
        resources: { cpuMillicores: 100 * random.whole(2, 12), memoryMiB: 64 },
        placement: {
          replicas: type === 'service' ? random.whole(1, 4) : 1,
          ...(residency === undefined ? {} : { residency }),
          onSiteLoss: { orphan, rejoin: random.pick(['keep-original', 'keep-replacement', 'keep-newest']) },
        },
        update: { healthyDeadlineMs: 10_000 },
      }),
    });
  }

  private altered(before: Workload): Workload {
    const { random } = this;
    const { spec } = before;
    const next = (change: Partial<Workload>) => ({ ...before, ...change, requestId: this.requestId() });
    const placement = (change: Partial<Workload['spec']['placement']>) =>
      next({ spec: { ...spec, placement: { ...spec.placement, ...change } } });
    switch (random.weighted({ mark: 4, scale: 3, residency: 2, stop: 1, remove: 1 })) {
      case 'mark':
        return next({ spec: { ...spec, run: { ...spec.run, env: { MARK: String(random.whole(2, 999)) } } } });
      case 'scale':
        return spec.type === 'service' ? placement({ replicas: random.whole(1, 4) }) : next({});
      case 'residency':
        return placement({ residency: { deny: [random.pick(['eu', 'us', 'ch'])] } });
      case 'stop':
        return next({ stopped: !before.stopped });
      case 'remove':
        return next({ removed: true });
    }
  }

  private workload(name: string, change: Pick<Workload, 'spec'>): Workload {
    return workloadSchema.parse({
      kind: 'Workload',
      project: PROJECT,
      name,
      labels: {},
      generation: 1,
      specDigest: DIGEST,
      demand: [],
      stopped: false,
      removed: false,
      createdAt: AT,
      updatedAt: AT,
      requestId: this.requestId(),
      commandSequence: 1,
      ...change,
    });
  }

  private requestId(): string {
    return `request-${this.random.whole(1, 1_000_000_000)}`;
  }
}

function inWords({ spec, stopped, removed }: Workload): string {
  const { replicas, residency } = spec.placement;
  const flags = `${stopped ? ', stopped' : ''}${removed ? ', removed' : ''}`;
  const where = residency === undefined ? '' : `, residency ${JSON.stringify(residency)}`;
  return `${spec.type} of ${JSON.stringify(replicas)}, ${spec.resources.cpuMillicores}m, mark ${spec.run.env['MARK']}${where}${flags}`;
}
