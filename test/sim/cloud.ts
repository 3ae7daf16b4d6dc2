import type { Bus } from '@skerry/bus';
import { BUCKETS, siteDescriptionSchema, siteSchema, STREAMS, type Site } from '@skerry/contracts';
import { NKey } from '@skerry/identity';
import { INVENTORY } from '@skerry/inventory';
import { IDENTITY, POLICY, SYSTEM_BUS } from '@skerry/policy';
import { REPLICATOR } from '@skerry/replicator';
import { SCHEDULER } from '@skerry/scheduler';
import { Leaf, Link, Random, SimDisk, SimServer, Timeline, Transcript, WiredBus } from '@skerry/sim';
import type { SimProcess } from '@skerry/sim';
import { Claims } from './claims.js';
import { Machine, type Watcher } from './machine.js';
import { SimNode, type NodeAround } from './sim-node.js';
import { SimSite } from './sim-site.js';
import { wireService, type Surroundings } from './wire-service.js';

/** What is simulated, drawn from the seed. */
export interface Shape {
  sites: number;
  /** Share of the sites that have two or three nodes. */
  severalShare: number;
  /** Sites have the nkeys that they joined with. */
  nkeys: boolean;
  instances: { scheduler: number; replicator: number; inventory: number; policy: number };
}
export type ServiceName = keyof Shape['instances'];

/** An instance of a service; a killed one is started again as another process. */
export interface Instance {
  readonly service: ServiceName;
  readonly name: string;
  process: SimProcess;
  link: Link;
}

const AT = '2026-01-01T00:00:00.000Z';
const JURISDICTIONS = ['eu', 'us', 'ch'];
/** Clocks of machines are off by up to this much, and run up to this much too fast or too slow. */
const SKEW_MS = 2_000;
/** A service that could not start is started again after this long. */
const START_AGAIN_MS = 1_000;
const DRIFT = 0.005;
const NKEY_BYTES = 32;
const LOCAL = { delayMs: 0.2, jitterMs: 1 };

/** A whole cloud in virtual time: the hub's server and services, and sites with their servers, machines and agents. */
export class Cloud {
  readonly transcript: Transcript;
  readonly hub: SimServer;
  readonly sites: SimSite[] = [];
  readonly instances: Instance[] = [];
  /** Those of policy: what breaks them is drawn by itself. */
  readonly policies: Instance[] = [];
  readonly claims: Claims;
  readonly people: Bus;
  readonly peopleProcess: SimProcess;
  private term = 1;
  private readonly nkeySeeds = new Map<string, string>();

  constructor(
    readonly timeline: Timeline,
    readonly random: Random,
    readonly at: { watch: Watcher; transcript: Transcript },
  ) {
    this.transcript = at.transcript;
    this.hub = new SimServer(timeline.process('hub'));
    this.hub.onDown(() => this.resetHubLinks());
    this.claims = new Claims(this.hub);
    this.peopleProcess = timeline.process('people');
    const { bus, link } = this.joinHub(this.peopleProcess);
    this.people = bus;
    this.hub.onDown(() => link.reset());
  }

  /** Puts everything in place; it begins to live when time passes. */
  build(shape: Shape): void {
    for (const stream of Object.values(STREAMS)) this.hub.memory.ensureStream(stream);
    for (const bucket of Object.values(BUCKETS)) this.hub.memory.ensureBucket(bucket);
    for (let i = 0; i < shape.sites; i++) this.addSite(`s${i}`, i, shape);
    for (const service of ['scheduler', 'replicator', 'inventory', 'policy'] as const) {
      for (let i = 0; i < shape.instances[service]; i++) this.addInstance(service, `${service}-${i}`);
    }
  }

  site(name: string): SimSite {
    const found = this.sites.find((s) => s.name === name);
    if (found === undefined) throw new Error(`no site ${name}`);
    return found;
  }

  /** All nodes of all sites. */
  get nodes(): SimNode[] {
    return this.sites.flatMap((site) => site.nodes);
  }

  say(who: string, what: string): void {
    this.transcript.say(who, what);
  }

  /** As kill -9; another process takes its place after a while. */
  killInstance(instance: Instance, downMs: number): void {
    this.say(instance.name, 'is killed');
    instance.process.kill();
    this.timeline.after(downMs, this.timeline.world, () => {
      this.say(instance.name, 'starts');
      // Killed twice it is started twice, and there is one of it.
      instance.process.kill();
      Object.assign(instance, this.startInstance(instance.service, instance.name));
    });
  }

  /** The hub's server ends and comes back; with `losingMs` without what it had stored last. */
  restartHub(downMs: number, losingMs: number): void {
    this.say('hub', `goes down${losingMs > 0 ? `, losing ${losingMs} ms` : ''}`);
    this.hub.down(losingMs);
    if (losingMs > 0) this.raiseTerm(downMs);
    this.timeline.after(downMs, this.timeline.world, () => {
      this.say('hub', 'is back');
      this.hub.start();
    });
  }

  /** What a person does whose hub has lost something: whoever counts begins in a higher term, so that what is decided now counts as newer. */
  private raiseTerm(downMs: number): void {
    this.term += 1;
    for (const instance of this.instances.filter(({ service }) => service !== 'replicator')) {
      this.killInstance(instance, downMs);
    }
  }

  private resetHubLinks(): void {
    for (const { link } of [...this.instances, ...this.policies]) link.reset();
    for (const { leafLink } of this.sites) leafLink.reset();
  }

  private addInstance(service: ServiceName, name: string): void {
    const list = service === 'policy' ? this.policies : this.instances;
    list.push({ service, name, ...this.startInstance(service, name) });
  }

  private startInstance(service: ServiceName, name: string): { process: SimProcess; link: Link } {
    const process = this.process(name);
    const { bus, link } = this.joinHub(process);
    const say = (line: string) => this.say(name, shortened(line));
    this.timeline.after(1, process, () => {
      const at = { bus, say, env: { SKERRY_HUB_TERM: String(this.term) } };
      wire(service, name, at).then(
        () => this.say(name, 'hears everything'),
        (error: unknown) => this.startAgain(process, `did not start: ${String(error)}`),
      );
    });
    return { process, link };
  }

  /** A service that cannot start ends, and whoever runs it starts it again. */
  private startAgain(process: SimProcess, why: string): void {
    this.say(process.name, why);
    const instance = [...this.instances, ...this.policies].find((i) => i.process === process);
    if (instance !== undefined) this.killInstance(instance, START_AGAIN_MS);
  }

  private joinHub(process: SimProcess): { bus: WiredBus; link: Link } {
    const link = new Link(process.name, process, this.hub, this.random.fork(process.name), LOCAL);
    const onAlarm = ({ what, error }: { what: string; error: unknown }) =>
      this.say(process.name, `alarm: ${what}: ${error instanceof Error ? error.message : String(error)}`);
    return { link, bus: new WiredBus(link, this.hub, { onAlarm }) };
  }

  private addSite(name: string, index: number, { severalShare, nkeys }: Shape): void {
    if (nkeys) this.nkeySeeds.set(name, nkeySeedOf(this.random.seed, name));
    const random = this.random.fork(name);
    const account = `A${String.fromCharCode(65 + (index % 26))}${'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[Math.floor(index / 26)]}${'A'.repeat(53)}`;
    const spec = describe(name, account, random);
    const server = new SimServer(this.timeline.process(`server ${name}`));
    const link = new Link(`leaf ${name}`, server.process, this.hub, random.fork('leaf'), {
      delayMs: random.between(2, 60),
      jitterMs: random.between(1, 20),
      loss: 0.01,
      duplicates: 0.01,
      reorder: 0.02,
    });
    server.onDown(() => link.reset());
    const leaf = new Leaf({ site: name, account, server, hub: this.hub }, link, random.fork('source'));
    const around = {
      makeProcess: (who: string) => this.process(who),
      random: random.fork('agent'),
      say: (who: string, what: string) => this.say(who, what),
    };
    const size = random.fork('size');
    const several = size.chance(severalShare);
    const cpuMillicores = 1_000 * random.whole(2, 8);
    const nodes = several
      ? this.nodesOf(spec, server, { random, size })
      : [this.node(name, { spec, server, node: 'n1', cpuMillicores, random, hostsServer: false }, around)];
    const site = new SimSite(this.timeline, { spec, server, leaf, nodes }, around);
    this.sites.push(site);
    site.begin();
  }

  /** Two or three nodes, of the same size or not; the first may be the one that the site's server runs on. */
  private nodesOf(
    spec: Site,
    server: SimServer,
    { random, size }: { random: Random; size: Random },
  ): SimNode[] {
    const hosted = size.chance(0.3);
    return Array.from({ length: size.whole(2, 3) }, (_, i) => {
      const node = `n${i + 1}`;
      const forNode = random.fork(node);
      const around = {
        makeProcess: (who: string) => this.process(who),
        random: forNode.fork('agent'),
        say: (who: string, what: string) => this.say(who, what),
      };
      const cpuMillicores = 1_000 * size.whole(1, 4);
      const hostsServer = hosted && i === 0;
      const of = { spec, server, node, cpuMillicores, random: forNode, hostsServer };
      return this.node(`${spec.name}/${node}`, of, around);
    });
  }

  private node(
    name: string,
    of: {
      spec: Site;
      server: SimServer;
      node: string;
      cpuMillicores: number;
      random: Random;
      hostsServer: boolean;
    },
    around: NodeAround,
  ): SimNode {
    const { spec, server, node, cpuMillicores, random, hostsServer } = of;
    const machine = new Machine(spec.name, node, new SimDisk(random.fork('disk')), {
      timeline: this.timeline,
      random: random.fork('machine'),
      watch: this.at.watch,
      rate: this.clockOf(`agent ${name}`).rate,
      cpuMillicores,
    });
    const nkeySeed = this.nkeySeeds.get(spec.name);
    const parts = { site: spec.name, account: spec.account, server, machine, hostsServer, nkeySeed };
    return new SimNode(name, this.timeline, parts, around);
  }

  private process(name: string): SimProcess {
    const random = this.random.fork(`chance of ${name} ${this.timeline.now}`);
    return this.timeline.process(name, { seed: random.seed, ...this.clockOf(name) });
  }

  /** Whoever runs on a machine has its clock, before and after a restart. */
  private clockOf(name: string): { wallOffsetMs: number; rate: number } {
    const random = new Random(this.random.seed, `clock of ${name}`);
    return { wallOffsetMs: random.between(-SKEW_MS, SKEW_MS), rate: random.between(1 - DRIFT, 1 + DRIFT) };
  }
}

function wire(service: ServiceName, name: string, at: Surroundings): Promise<void> {
  switch (service) {
    case 'scheduler':
      return wireService(SCHEDULER, name, at);
    case 'replicator':
      return wireService(REPLICATOR, name, at);
    case 'inventory':
      return wireService(INVENTORY, name, at);
    case 'policy':
      return wireService(POLICY, name, {
        ...at,
        env: { SKERRY_IDENTITY_DIR: '/identity', SKERRY_SYS_CREDS: '/policy-sys.creds' },
        given: new Map<unknown, object>([
          // Nobody joins or renews here.
          [IDENTITY, { cloudSigning: { seed: () => new Uint8Array(32) } }],
          [SYSTEM_BUS, at.bus],
        ]),
      });
  }
}

function nkeySeedOf(seed: number, site: string): string {
  const random = new Random(seed, `nkey of ${site}`);
  const raw = Uint8Array.from({ length: NKEY_BYTES }, () => random.whole(0, 255));
  return NKey.fromRaw('user', raw).seed();
}

function describe(name: string, account: string, random: Random): Site {
  const location = { lat: random.between(-60, 60), lon: random.between(-180, 180) };
  return siteSchema.parse({
    ...siteDescriptionSchema.parse({
      name,
      location,
      jurisdictions: [random.pick(JURISDICTIONS)],
      prices: { cpuCoreMonth: random.whole(1, 20) },
    }),
    generation: 1,
    account,
    membership: 'joined',
    cordoned: false,
    createdAt: AT,
    updatedAt: AT,
    commandSequence: 0,
  });
}

/** A line of a service's log without what tells nothing in a transcript. */
function shortened(line: string): string {
  const { at: _at, app: _app, instance: _instance, ...rest } = recordOf(line);
  return JSON.stringify(rest).slice(0, 400);
}

function recordOf(line: string): Record<string, unknown> {
  const parsed: unknown = JSON.parse(line);
  return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
}
