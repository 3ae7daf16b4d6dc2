import { BUCKETS, bucketStream, STREAMS } from '@skerry/contracts';
import type { Random, Way } from '@skerry/sim';
import type { Cloud, Instance } from './cloud.js';
import { Mends } from './mends.js';

/** Kinds of faults and how often each comes up beside the others. */
const WEIGHTS = { kill: 2, freeze: 2, isolate: 2, unanswered: 4, halfway: 4 } as const;
const MOST_PAUSE_MS = 9_000;
/** So long after a fault what policy says may still be about what it knew before it. */
const STALE_MS = 20_000;
/** Without faults policy knows what was stored so long ago. */
const HEARD_MS = 1_000;

/** Breaks instances of policy, most of all between two steps of what they do for one command. What it draws is its own. */
export class PolicyFaults {
  private readonly mends: Mends;
  private ended = false;
  private struckAt = -Infinity;

  constructor(
    private readonly cloud: Cloud,
    private readonly random: Random,
  ) {
    this.mends = new Mends(cloud.timeline);
  }

  /** How old may be what an instance decides by. */
  get staleMs(): number {
    const { now } = this.cloud.timeline;
    return this.mends.size > 0 || now - this.struckAt < STALE_MS ? STALE_MS : HEARD_MS;
  }

  begin(): void {
    const { timeline } = this.cloud;
    timeline.after(this.random.between(0, 2 * MOST_PAUSE_MS), timeline.world, () => {
      if (this.ended) return;
      this.strike();
      this.begin();
    });
  }

  /** Nothing breaks any more, and what is broken is mended. */
  heal(): void {
    this.ended = true;
    this.mends.all();
  }

  private strike(): void {
    const { random } = this;
    const instance = random.pick(this.cloud.policies);
    switch (random.weighted(WEIGHTS)) {
      case 'kill':
        return this.kill(instance);
      case 'freeze':
        return this.freeze(instance);
      case 'isolate':
        return this.isolate(instance, random.pick([['up'], ['down'], ['up', 'down']]));
      case 'halfway':
        return this.withNext(bucketStream(BUCKETS.workloads.name));
      case 'unanswered':
        return this.withNext(random.pick([STREAMS.CMD.name, bucketStream(BUCKETS.outcomes.name)]));
    }
  }

  /** Right when the next message is stored there, each instance is killed, stands still or cannot be heard: nobody goes on with it. */
  private withNext(name: string): void {
    const stream = this.cloud.hub.memory.streams.get(name);
    const stop = stream?.onStored(() => {
      stop?.();
      if (this.ended) return;
      for (const instance of this.cloud.policies) this.breakOff(instance);
    });
  }

  private breakOff(instance: Instance): void {
    switch (this.random.weighted({ nothing: 1, kill: 2, freeze: 2, isolate: 2 })) {
      case 'nothing':
        return;
      case 'kill':
        return this.kill(instance);
      case 'freeze':
        return this.freeze(instance);
      case 'isolate':
        return this.isolate(instance, ['up']);
    }
  }

  private kill(instance: Instance): void {
    this.strikes();
    this.cloud.killInstance(instance, this.random.between(100, 5_000));
  }

  private freeze({ process }: Instance): void {
    if (process.stopped) return;
    this.strikes();
    this.cloud.say(process.name, 'is stopped');
    process.stop();
    this.mends.later(this.random.between(100, 8_000), () => {
      this.cloud.say(process.name, 'goes on');
      process.resume();
    });
  }

  private isolate({ link, name }: Instance, ways: readonly Way[]): void {
    this.strikes();
    this.cloud.say(name, `packets ${ways.join(' and ')} vanish`);
    link.stall(...ways);
    this.mends.later(this.random.between(500, 12_000), () => {
      this.cloud.say(name, 'its link is mended');
      link.heal();
    });
  }

  private strikes(): void {
    this.struckAt = this.cloud.timeline.now;
  }
}
