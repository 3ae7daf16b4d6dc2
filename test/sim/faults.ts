import { parseHeld } from '@skerry/bus';
import { BUCKETS, bucketStream, bucketSubject, SITE_STREAMS, STREAMS } from '@skerry/contracts';
import type { Random, SimProcess, Way } from '@skerry/sim';
import type { Cloud, Instance, ServiceName } from './cloud.js';
import { Mends } from './mends.js';
import type { SimNode } from './sim-node.js';
import type { SimSite } from './sim-site.js';

/** Kinds of faults and how often each comes up beside the others. */
const WEIGHTS = {
  stall: 4,
  cut: 3,
  flap: 2,
  mass: 1,
  agent: 3,
  power: 3,
  siteServer: 2,
  service: 4,
  freeze: 3,
  freezeAgent: 2,
  hub: 1,
  isolate: 2,
  overtake: 2,
  forget: 2,
  freezeBeginning: 2,
  crash: 3,
  ill: 2,
  diskFull: 1,
} as const;
/** As above, where sites have several nodes. */
const WEIGHTS_OF_SEVERAL = { ...WEIGHTS, node: 6, cutNode: 5, flapNode: 1 } as const;

const LONGER_THAN_A_LEASE_MS = 45_000;

/** A server that forgets loses what it has stored for so long at most. */
const MOST_LOST_MS = 1_000;

/** What each service acts on. */
const HEARD_BY: Readonly<Record<ServiceName, string>> = {
  scheduler: bucketStream(BUCKETS.workloads.name),
  replicator: bucketStream(BUCKETS.placements.name),
  inventory: STREAMS.OBSERVED.name,
  policy: STREAMS.CMD.name,
};

export interface FaultOptions {
  /** Servers may lose the last second that they had said was stored. */
  forgetful: boolean;
  /** Has people change something now. */
  nudge: () => void;
}

/** Breaks things, one fault after another, each mended after a while. */
export class Faults {
  private readonly mends: Mends;

  constructor(
    private readonly cloud: Cloud,
    private readonly random: Random,
    private readonly options: FaultOptions,
  ) {
    this.mends = new Mends(cloud.timeline);
  }

  /** Whether servers may lose what they had said was stored. */
  get forgetful(): boolean {
    return this.options.forgetful;
  }

  /** Something breaks now. */
  strike(): void {
    const { random } = this;
    const site = random.pick(this.cloud.sites);
    const several = this.cloud.sites.filter((s) => s.several);
    const kind = several.length > 0 ? random.weighted(WEIGHTS_OF_SEVERAL) : random.weighted(WEIGHTS);
    const node = site.several ? random.pick(site.nodes) : site.nodes[0];
    if (node === undefined) return;
    switch (kind) {
      case 'stall':
        return this.stall(site, random.pick([['up'], ['down'], ['up', 'down']]), random.between(500, 30_000));
      case 'cut':
        return this.cut(site, random.between(500, 30_000));
      case 'flap':
        return this.flap(site, random.whole(3, 6));
      case 'mass':
        return this.mass(random.between(0.3, 1));
      case 'agent':
        return node.killAgent(random.between(0, 8_000));
      case 'power':
        return site.losePower(random.between(500, 15_000), this.losing());
      case 'siteServer':
        return site.restartServer(random.between(200, 8_000), this.losing());
      case 'service':
        return this.cloud.killInstance(random.pick(this.cloud.instances), random.between(100, 8_000));
      case 'freeze':
        return this.freeze(random.pick(this.cloud.instances).process);
      case 'freezeAgent':
        return node.agentProcess && this.freeze(node.agentProcess);
      case 'hub':
        return this.cloud.restartHub(random.between(200, 8_000), this.losing());
      case 'isolate':
        return this.isolate();
      case 'overtake':
        return this.overtake(random.weighted({ scheduler: 3, replicator: 1, inventory: 1 }));
      case 'freezeBeginning':
        return this.freezeBeginning();
      case 'forget':
        return this.forget(site);
      case 'crash':
      case 'ill':
        return this.replica(node, kind);
      case 'diskFull':
        return this.fillDisk(node);
      case 'node':
        return this.loseNode(random.pick(several));
      case 'cutNode':
        return this.cutNode(random.pick(random.pick(several).nodes), random.between(500, 30_000));
      case 'flapNode':
        return this.flapNode(random.pick(random.pick(several).nodes), random.whole(3, 6));
    }
  }

  /** Everything that is broken is mended. */
  heal(): void {
    this.cloud.say('world', 'everything is mended');
    this.mends.all();
    for (const { leafLink } of this.cloud.sites) leafLink.calm();
  }

  private losing(): number {
    return this.options.forgetful && this.random.chance(0.5) ? this.random.between(1, MOST_LOST_MS) : 0;
  }

  private stall(site: SimSite, ways: readonly Way[], ms: number): void {
    this.cloud.say(site.name, `packets ${ways.join(' and ')} vanish`);
    site.leafLink.stall(...ways);
    this.mends.later(ms, () => this.mend(site));
  }

  private cut(site: SimSite, ms: number): void {
    this.cloud.say(site.name, 'is cut off');
    site.leafLink.cut();
    this.mends.later(ms, () => this.mend(site));
  }

  private mend(site: SimSite): void {
    this.cloud.say(site.name, 'its link is mended');
    site.leafLink.heal();
  }

  /** Mostly for a moment, now and then for so long that all its replicas are somewhere else when it is back. */
  private loseNode(site: SimSite): void {
    const { random } = this;
    const downMs = random.chance(0.5) ? random.between(300, 5_000) : random.between(5_000, 40_000);
    site.loseNode(random.pick(site.nodes), downMs, this.losing());
  }

  private cutNode(node: SimNode, ms: number): void {
    const ways = this.random.pick<readonly Way[]>([[], ['up'], ['down'], ['up', 'down']]);
    const how = ways.length === 0 ? 'is cut off from' : `packets ${ways.join(' and ')} vanish on the way to`;
    this.cloud.say(node.name, `${how} the site’s server`);
    node.cut(...ways);
    this.mends.later(ms, () => {
      this.cloud.say(node.name, 'its way to the site’s server is mended');
      node.heal();
    });
  }

  private flapNode(node: SimNode, times: number): void {
    const { timeline } = this.cloud;
    let at = 0;
    for (let i = 0; i < times; i++) {
      timeline.after(at, timeline.world, () => this.cutNode(node, this.random.between(500, 6_000)));
      at += this.random.between(2_000, 9_000);
    }
  }

  private flap(site: SimSite, times: number): void {
    const { timeline } = this.cloud;
    let at = 0;
    for (let i = 0; i < times; i++) {
      timeline.after(at, timeline.world, () =>
        this.stall(site, ['up', 'down'], this.random.between(2_000, 8_000)),
      );
      at += this.random.between(8_000, 12_000);
    }
  }

  private mass(share: number): void {
    const ms = this.random.between(3_000, 25_000);
    for (const site of this.cloud.sites) {
      if (this.random.chance(share)) this.stall(site, ['up', 'down'], ms + this.random.between(0, 2_000));
    }
  }

  private isolate(): void {
    const { link, name } = this.random.pick(this.cloud.instances);
    const ways = this.random.pick<readonly Way[]>([['up'], ['down'], ['up', 'down']]);
    this.cloud.say(name, `packets ${ways.join(' and ')} vanish`);
    link.stall(...ways);
    this.mends.later(this.random.between(500, 20_000), () => {
      this.cloud.say(name, 'its link is mended');
      link.heal();
    });
  }

  /**
   * The active instance of a service decides on something, and what it says of that is long on its way: by then another one
   * may have taken over.
   */
  private overtake(service: ServiceName): void {
    const active = this.activeOf(service);
    const stream = this.cloud.hub.memory.streams.get(HEARD_BY[service]);
    if (active === undefined || stream === undefined) return;
    const { link, name } = active;
    const stop = stream.onStored(() => {
      stop();
      this.cloud.say(name, 'what it says is held up');
      link.stall('up');
      this.mends.later(this.random.between(1_000, 9_000), () => {
        this.cloud.say(name, 'what it has said goes on');
        link.heal();
      });
    });
    this.options.nudge();
  }

  /** The next agent that is about to begin a singleton stands still before it does, often for longer than its lease. */
  private freezeBeginning(): void {
    const { nodes } = this.cloud;
    for (const node of nodes) {
      node.machine.onBegins = () => {
        for (const { machine } of nodes) machine.onBegins = () => undefined;
        if (node.agentProcess !== undefined) this.freeze(node.agentProcess, LONGER_THAN_A_LEASE_MS);
      };
    }
    this.options.nudge();
  }

  /** A site's server has just stored what is wanted there and said so to who follows, and then loses it. */
  private forget(site: SimSite): void {
    const stream = site.server.memory.streams.get(SITE_STREAMS.DESIRED);
    if (stream === undefined) return;
    const stop = stream.onStored(() => {
      stop();
      this.cloud.timeline.after(this.random.between(10, 500), this.cloud.timeline.world, () =>
        site.restartServer(this.random.between(200, 3_000), this.options.forgetful ? MOST_LOST_MS : 0),
      );
    });
    this.options.nudge();
  }

  private activeOf(service: ServiceName): Instance | undefined {
    const held = this.cloud.hub.memory.streams
      .get(bucketStream(BUCKETS.leases.name))
      ?.newest(bucketSubject(BUCKETS.leases.name, service));
    if (held === undefined || held.bytes.length === 0) return undefined;
    const { holder } = parseHeld(JSON.parse(new TextDecoder().decode(held.bytes)));
    return this.cloud.instances.find(({ name }) => holder === `${service}-${name}`);
  }

  private freeze(process: SimProcess, mostMs = 20_000): void {
    if (process.stopped) return;
    this.cloud.say(process.name, 'is stopped');
    process.stop();
    this.mends.later(this.random.between(100, mostMs), () => {
      this.cloud.say(process.name, 'goes on');
      process.resume();
    });
  }

  private replica({ machine }: SimNode, what: 'crash' | 'ill'): void {
    const all = [...machine.replicas.values()];
    if (all.length === 0) return;
    const replica = this.random.pick(all);
    if (what === 'crash') return machine.crash(replica.pid);
    machine.setHealthy(replica, false);
    this.mends.later(this.random.between(1_000, 20_000), () => machine.setHealthy(replica, true));
  }

  private fillDisk({ machine }: SimNode): void {
    this.cloud.say(machine.name, 'its disk is full');
    machine.disk.full = true;
    this.mends.later(this.random.between(1_000, 15_000), () => {
      machine.disk.full = false;
    });
  }
}
