import { matches } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  datasetHomeSchema,
  desiredSchema,
  STREAMS,
  type DatasetHome,
} from '@skerry/contracts';
import type { Random, SimProcess } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import { keeperOf } from './dataset-owner.js';
import { followStream, jsonOf } from './follow-stream.js';
import { Mends } from './mends.js';
import type { SimSite } from './sim-site.js';

/** Share of the steps of a move behind which something breaks: most of them have to come about. */
const SHARE = 0.25;
const AFTER_MS = [0, 1_500] as const;
/** Behind the moment at which a keeper is given to another site: the home goes after it at once. */
const BEHIND_KEEPER_MS = [0, 300] as const;
const KINDS = { cut: 4, stall: 2, agent: 2, freeze: 3, power: 1, replicator: 2 } as const;
/** Between two cuts that outlast a lease, so that what is home goes elsewhere without being asked. */
const PAUSE_MS = [4_000, 20_000] as const;
const LONG_MS = [15_000, 45_000] as const;

/** Breaks what has to do with homes that move, most of all between two steps of a move. What it draws is its own. */
export class HomeFaults {
  private readonly mends: Mends;
  private ended = false;
  private readonly homes = new Map<string, DatasetHome>();

  constructor(
    private readonly cloud: Cloud,
    private readonly random: Random,
  ) {
    this.mends = new Mends(cloud.timeline);
    followStream(cloud.hub.memory, bucketStream(BUCKETS.homes.name), (m) => {
      const home = datasetHomeSchema.parse(jsonOf(m));
      const before = this.homes.get(home.name);
      this.homes.set(home.name, home);
      this.strikeLater(random.pick([home.site, before?.site ?? home.site]), AFTER_MS);
    });
    followStream(cloud.hub.memory, STREAMS.DL.name, (m) => {
      if (!matches('desired.*.assignment.>', m.subject)) return;
      const object = desiredSchema.parse(jsonOf(m));
      for (const { name, site } of this.homes.values())
        if (object.kind === 'Assignment' && object.name === keeperOf(name) && object.site !== site)
          this.strikeLater(site, BEHIND_KEEPER_MS);
    });
  }

  begin(): void {
    const { timeline } = this.cloud;
    timeline.after(this.random.between(...PAUSE_MS), timeline.world, () => {
      if (this.ended) return;
      const homes = [...this.homes.values()];
      if (homes.length > 0)
        this.cut(this.cloud.site(this.random.pick(homes).site), this.random.between(...LONG_MS));
      this.begin();
    });
  }

  /** Nothing breaks any more, and what is broken is mended. */
  heal(): void {
    this.ended = true;
    this.mends.all();
  }

  private strikeLater(site: string, [least, most]: readonly [number, number]): void {
    const { random } = this;
    const { timeline } = this.cloud;
    if (!this.ended && random.chance(SHARE))
      timeline.after(random.between(least, most), timeline.world, () => this.strike(site));
  }

  private strike(name: string): void {
    if (this.ended) return;
    const { random, cloud } = this;
    const site = cloud.site(name);
    const node = random.pick(site.nodes);
    switch (random.weighted(KINDS)) {
      case 'cut':
        return this.cut(site, random.between(500, 30_000));
      case 'stall':
        cloud.say(name, 'packets vanish');
        site.leafLink.stall(...random.pick([['up'], ['down'], ['up', 'down']] as const));
        return this.mends.later(random.between(500, 30_000), () => site.leafLink.heal());
      case 'agent':
        return node.killAgent(random.between(0, 8_000));
      case 'freeze':
        return node.agentProcess && this.freeze(node.agentProcess);
      case 'power':
        return site.losePower(random.between(500, 15_000), 0);
      case 'replicator': {
        const all = cloud.instances.filter(({ service }) => service === 'replicator');
        const instance = random.pick(all);
        if (random.chance(0.5)) return this.freeze(instance.process);
        return cloud.killInstance(instance, random.between(100, 8_000));
      }
    }
  }

  private cut(site: SimSite, ms: number): void {
    this.cloud.say(site.name, 'is cut off');
    site.leafLink.cut();
    this.mends.later(ms, () => {
      this.cloud.say(site.name, 'its link is mended');
      site.leafLink.heal();
    });
  }

  private freeze(process: SimProcess): void {
    if (process.stopped) return;
    this.cloud.say(process.name, 'is stopped');
    process.stop();
    this.mends.later(this.random.between(100, 30_000), () => {
      this.cloud.say(process.name, 'goes on');
      process.resume();
    });
  }
}
