import type { Bucket, Bus } from '@skerry/bus';
import {
  BUCKETS,
  siteSchema,
  workloadSpecSchema,
  type CommandBody,
  type Site,
  type Workload,
  type WorkloadDocument,
  type WorkloadSpec,
} from '@skerry/contracts';
import type { Random } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import { Commands, type Request } from './commands.js';

export const PROJECT = 'shop';
const AGAIN_MS = 500;

/** What people want of workloads and sites, what they were told is accepted, and what was ever wanted. */
export class People {
  readonly commands: Commands;
  /** Every generation that was ever wanted, by key. */
  private readonly generations = new Map<string, Map<number, Workload[]>>();
  private readonly current = new Map<string, Workload>();
  private readonly specs: Bucket<Site>;
  private readonly busy = new Set<string>();
  /** The last thing that was asked of each site: one after the other. */
  private readonly turns = new Map<string, Promise<void>>();
  private asked = 0;

  constructor(
    private readonly cloud: Cloud,
    private readonly random: Random,
    bus: Bus,
  ) {
    this.commands = new Commands(cloud, bus);
    this.specs = bus.bucket(BUCKETS.siteSpecs, (v) => siteSchema.parse(v));
  }

  /** Policy has stored what is wanted now. */
  wants(key: string, value: Workload): void {
    const known = this.generations.get(key) ?? new Map<number, Workload[]>();
    this.generations.set(key, known);
    known.set(value.generation, [...(known.get(value.generation) ?? []), value]);
    this.current.set(key, value);
  }

  /** The hub has lost what it had acknowledged last: people look what is left, and go on from there. */
  forget(left: ReadonlyMap<string, Workload>): void {
    for (const key of this.current.keys()) {
      const now = left.get(key);
      if (now === undefined) this.current.delete(key);
      else this.current.set(key, now);
    }
    this.commands.forget(left);
  }

  /** The newest generation that anybody may know of. */
  newest(key: string): Workload | undefined {
    return this.current.get(key);
  }

  /** What a generation may have been: after a loss its number is used again. */
  meant(key: string, generation: number): readonly Workload[] {
    return this.generations.get(key)?.get(generation) ?? [];
  }

  /** Of the workloads that these people ask for; `all`: of everybody's. */
  keys(all = false): string[] {
    const keys = [...this.current.keys()];
    return all ? keys : keys.filter((key) => key.startsWith(`${PROJECT}.`));
  }

  /** Registers all sites, as joining does. */
  async register(): Promise<void> {
    for (const { spec } of this.cloud.sites) await this.untilDone(() => this.specs.set(spec.name, spec));
  }

  async cordon(name: string, cordoned: boolean): Promise<void> {
    await this.changeSite(name, { verb: 'site.cordon', name, cordoned });
  }

  /** What runs at a site is to go elsewhere, by a deadline or in its own time; or may stay after all. */
  async empty(name: string, kind: 'drain' | 'evacuate' | undefined, withinMs = 0): Promise<void> {
    const deadline = kind === 'evacuate' ? { deadlineMs: Math.round(withinMs) } : {};
    await this.changeSite(
      name,
      kind === undefined ? { verb: 'site.recall', name } : { verb: 'site.drain', name, kind, ...deadline },
    );
  }

  /** A node takes nothing new, or gives away what it has too; or may take again. */
  async rule(site: string, name: string, rule: 'cordoned' | 'draining' | undefined): Promise<void> {
    await this.changeSite(site, { verb: 'node.set', site, name, ...(rule === undefined ? {} : { rule }) });
  }

  private async changeSite(site: string, body: CommandBody): Promise<void> {
    const before = this.turns.get(site) ?? Promise.resolve();
    const mine = before.then(() => this.ask({ requestId: this.nextId(), body }));
    this.turns.set(site, mine);
    await mine;
  }

  /** A new workload of a kind that chance decides; `dressed` adds what else it has. */
  async add(name: string, dressed = (spec: WorkloadSpec) => spec): Promise<void> {
    await this.change(`${PROJECT}.${name}`, () => this.apply(name, dressed(this.invent())));
  }

  /** Changes something of a workload: how many, what runs, where it may, or whether at all. */
  async alter(key: string): Promise<void> {
    const before = this.newest(key);
    if (before === undefined || before.removed) return;
    await this.change(key, () => this.altered(before));
  }

  /** One change of a key at a time. */
  private async change(key: string, make: () => Request): Promise<void> {
    if (this.busy.has(key)) return;
    this.busy.add(key);
    await this.ask(make());
    this.busy.delete(key);
  }

  /** Asks until there is an outcome. */
  private async ask(request: Request): Promise<void> {
    const outcome = await this.commands.ask(request);
    const became = outcome.ok
      ? outcome.changes.map(({ name, change, generation }) => `${name} ${change} (${generation})`).join(', ')
      : `refused: ${outcome.title}`;
    this.cloud.say('people', `${request.requestId}: ${became}; asked was ${inWords(request.body)}`);
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

  private invent(): WorkloadSpec {
    const { random } = this;
    const type = random.weighted({ service: 6, singleton: 3, daemon: 1 });
    const residency = random.chance(0.3)
      ? { allow: random.pick([['eu', 'ch'], ['us', 'eu'], ['eu']]) }
      : undefined;
    const orphan = random.weighted({ keep: 3, stop: 1 });
    return workloadSpecSchema.parse({
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
    });
  }

  private altered({ name, spec, stopped, labels }: Workload): Request {
    const { random } = this;
    const of = { project: PROJECT, name };
    const placement = (change: Partial<WorkloadSpec['placement']>) =>
      this.apply(name, { ...spec, placement: { ...spec.placement, ...change } }, labels);
    switch (random.weighted({ mark: 4, scale: 3, residency: 2, stop: 1, remove: 1 })) {
      case 'mark': {
        const env = { MARK: String(random.whole(2, 999)) };
        return this.apply(name, { ...spec, run: { ...spec.run, env } }, labels);
      }
      case 'scale':
        return spec.type === 'service'
          ? this.request({ verb: 'workload.scale', ...of, replicas: random.whole(1, 4) })
          : this.relabelled(name, spec);
      case 'residency':
        return placement({ residency: { deny: [random.pick(['eu', 'us', 'ch'])] } });
      case 'stop':
        return this.request({ verb: stopped ? 'workload.start' : 'workload.stop', ...of });
      case 'remove':
        return this.request({ verb: 'workload.remove', ...of });
    }
  }

  /** A new generation, and what runs stays the same. */
  private relabelled(name: string, spec: WorkloadSpec): Request {
    const requestId = this.requestId();
    return { requestId, body: applying([documentOf(PROJECT, name, spec, { asked: requestId })]) };
  }

  private apply(name: string, spec: WorkloadSpec, labels: Workload['labels'] = {}): Request {
    return this.request(applying([documentOf(PROJECT, name, spec, labels)]));
  }

  private request(body: CommandBody): Request {
    return { requestId: this.requestId(), body };
  }

  private requestId(): string {
    return `request-${this.random.whole(1, 1_000_000_000)}`;
  }

  /** Of what draws nothing from the course of workloads. */
  private nextId(): string {
    this.asked += 1;
    return `site-request-${this.asked}`;
  }
}

/** As people write it. */
export function documentOf(
  project: string,
  name: string,
  spec: WorkloadSpec,
  labels: Workload['labels'] = {},
): WorkloadDocument {
  return { apiVersion: 'skerry/v1', kind: 'Workload', metadata: { project, name, labels }, spec };
}

export function applying(documents: WorkloadDocument[]): CommandBody {
  return { verb: 'workload.apply', documents };
}

/** What is asked for, in a line of the transcript. */
export function inWords(body: CommandBody): string {
  if (body.verb !== 'workload.apply') return JSON.stringify(body);
  return `apply ${body.documents.map(documentInWords).join('; ')}`;
}

function documentInWords({ metadata, spec }: WorkloadDocument): string {
  const { replicas, residency } = spec.placement;
  const where = residency === undefined ? '' : `, residency ${JSON.stringify(residency)}`;
  return `${metadata.name}: ${spec.type} of ${JSON.stringify(replicas)}, ${spec.resources.cpuMillicores}m, mark ${spec.run.env['MARK']}${where}`;
}
