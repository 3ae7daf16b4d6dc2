import { Random, replaceGlobals, Timeline, Transcript } from '@skerry/sim';
import { Cloud } from './cloud.js';
import { hasSealed } from './dataset-kinds.js';
import { DatasetLife } from './dataset-life.js';
import { Faults } from './faults.js';
import { Invariants, type Broken } from './invariants.js';
import type { Watcher } from './machine.js';
import type { SimSite } from './sim-site.js';
import { People } from './people.js';
import { LogLife } from './log-life.js';
import { PolicyCourse } from './policy-course.js';
import { watchNodes } from './several-nodes.js';
import { unrest } from './quiescence.js';

/** What became of a seed. */
export interface Outcome {
  seed: number;
  sites: number;
  steps: number;
  /** Virtual milliseconds. */
  tookMs: number;
  /** Of the transcript: the same seed has the same. */
  digest: string;
  broken?: Broken;
  transcript: Transcript;
}

/** Everybody is there before anything breaks. */
const BEGIN_MS = 4_000;
/** Once everything is mended it may take this long until observed equals desired. */
const REST_MS = 240_000;
const LOOK_MS = 500;
/** It has to stay so. */
const STAYS_MS = 3_000;

/** Runs one seed: a cloud that lives while things break, then is mended and comes to rest. */
export async function runSeed(seed: number): Promise<Outcome> {
  const random = new Random(seed);
  let broken: Broken | undefined;
  const fail = (found: Broken) => {
    broken ??= found;
  };
  const timeline = new Timeline((process, error) => {
    fail({ invariant: 'no crash', detail: `${process.name}: ${inWords(error)}` });
  });
  const onRejection = (error: unknown) =>
    fail({ invariant: 'no crash', detail: `${timeline.current.name}: ${inWords(error)}` });
  process.on('unhandledRejection', onRejection);
  replaceGlobals(timeline);
  const transcript = new Transcript(timeline);
  const watchers: Watcher[] = [];
  const cloud = new Cloud(timeline, random, {
    transcript,
    watch: (...event) => watchers.forEach((watch) => watch(...event)),
  });
  const sites = sizeOf(random);
  const instances = {
    scheduler: random.whole(1, 2),
    replicator: random.whole(1, 2),
    inventory: random.whole(1, 2),
    policy: random.fork('policy').whole(1, 2),
  };
  const severalShare = severalOf(random.fork('several'));
  cloud.build({ sites, severalShare, nkeys: hasSealed(seed), instances });
  const people = new People(cloud, random.fork('people'), cloud.people);
  const invariants = new Invariants(cloud, people, fail);
  for (const site of cloud.sites) if (site.several) watchNodes(cloud, site, fail);
  watchers.push((machine, replica, what) => invariants.replica(machine, replica, what));
  const policy = new PolicyCourse(cloud, people, fail);
  const run = { cloud, people, invariants, policy, fail, random: random.fork('run') };
  const ran = new Run(run, () => broken !== undefined);
  const unrested = await ran.whole().catch((error: unknown) => {
    fail({ invariant: 'no crash', detail: inWords(error) });
    return [];
  });
  if (unrested.length > 0) fail({ invariant: 'quiescence', detail: unrested.slice(0, 6).join('; ') });
  process.off('unhandledRejection', onRejection);
  if (broken !== undefined) transcript.say('world', `BROKEN ${broken.invariant}: ${broken.detail}`);
  return {
    seed,
    sites,
    steps: timeline.steps,
    tookMs: timeline.now,
    digest: transcript.digest(),
    ...(broken === undefined ? {} : { broken }),
    transcript,
  };
}

/** Mostly small, since there every site matters; now and then many. */
function sizeOf(random: Random): number {
  return random.chance(0.95) ? random.whole(3, 5) : random.whole(6, 30);
}

/** In half of the seeds two sites of three have several nodes. */
function severalOf(random: Random): number {
  return random.chance(0.5) ? 2 / 3 : 0;
}

/** What else lives beside workloads. */
type Life = Pick<LogLife, 'longerMs' | 'end' | 'unrest' | 'judge'>;

/** The course of one seed. */
class Run {
  constructor(
    private readonly at: {
      cloud: Cloud;
      people: People;
      invariants: Invariants;
      policy: PolicyCourse;
      fail: (broken: Broken) => void;
      random: Random;
    },
    private readonly isOver: () => boolean,
  ) {}

  /** What is not at rest in the end. */
  async whole(): Promise<string[]> {
    const { cloud, people, policy, random } = this.at;
    const { timeline } = cloud;
    this.asPeople(() => people.register());
    const workloads = random.whole(2, 6);
    for (let i = 0; i < workloads; i++)
      this.asPeople(() => people.add(`w${i}`), random.between(100, BEGIN_MS));
    await this.pass(BEGIN_MS);
    policy.begin();
    const nudge = () => this.asPeople(() => people.alter(random.pick(people.keys())));
    const faults = new Faults(cloud, random.fork('faults'), { forgetful: random.chance(0.2), nudge });
    const datasets = this.datasets(faults.forgetful);
    const longerMs = Math.max(0, ...datasets.map((life) => life.longerMs));
    const until = timeline.now + random.between(8_000, 30_000) + longerMs;
    const pause = random.between(500, 6_000);
    while (timeline.now < until && !this.isOver()) {
      await this.pass(random.between(0, 2 * pause));
      if (random.chance(0.7)) faults.strike();
      else this.people();
    }
    if (this.isOver()) return [];
    faults.heal();
    policy.end();
    for (const life of datasets) life.end();
    return await this.rest(datasets);
  }

  /** Of every kind that this seed has. */
  private datasets(forgetful: boolean): Life[] {
    const { cloud, people, fail, random } = this.at;
    const kinds = [
      ['datasets', 'plain'],
      ['homes', 'moving'],
      ['bounds', 'bounded'],
    ] as const;
    const lives = kinds.map(([name, kind]) =>
      DatasetLife.drawn(cloud, people, { random: random.fork(name), forgetful, kind, fail }),
    );
    const logs = LogLife.drawn(cloud, people, { random: random.fork('logs'), forgetful, fail });
    const sealing = { random: new Random(random.seed, 'sealed'), forgetful, kind: 'sealed', fail } as const;
    const sealed = DatasetLife.drawn(cloud, people, sealing);
    return [...lives, logs, sealed].flatMap((life) => life ?? []);
  }

  private people(): void {
    const { cloud, people, random } = this.at;
    const site = random.pick(cloud.sites);
    if (random.chance(0.2)) {
      this.operate(site);
    } else if (random.chance(0.1)) this.asPeople(() => people.add(`x${random.whole(0, 9)}`));
    else this.asPeople(() => people.alter(random.pick(people.keys())));
  }

  /** An operator takes a site or a node out of use, and back again after a while. */
  private operate({ name, nodes, several }: SimSite): void {
    const { people, random } = this.at;
    const forMs = random.between(1_000, 25_000);
    const what = random.weighted({ cordon: 3, drain: 3, evacuate: 1, node: several ? 4 : 0 });
    switch (what) {
      case 'cordon':
        this.asPeople(() => people.cordon(name, true));
        return this.asPeople(() => people.cordon(name, false), forMs);
      case 'drain':
      case 'evacuate':
        this.asPeople(() => people.empty(name, what, random.between(1_000, 20_000)));
        return this.asPeople(() => people.empty(name, undefined), forMs);
      case 'node': {
        const { node } = random.pick(nodes).machine;
        const rule = random.pick(['cordoned', 'draining'] as const);
        this.asPeople(() => people.rule(name, node, rule));
        return this.asPeople(() => people.rule(name, node, undefined), forMs);
      }
    }
  }

  private async rest(datasets: readonly Life[]): Promise<string[]> {
    const { cloud, people, invariants, policy } = this.at;
    const { timeline } = cloud;
    const deadline = timeline.now + REST_MS;
    let restingSince: number | undefined;
    for (;;) {
      await this.pass(LOOK_MS);
      if (this.isOver()) return [];
      const left = [
        ...unrest(cloud, people, invariants),
        ...policy.unrest(),
        ...datasets.flatMap((life) => life.unrest()),
      ];
      if (left.length > 0) restingSince = undefined;
      else restingSince ??= timeline.now;
      if (restingSince !== undefined && timeline.now - restingSince >= STAYS_MS) {
        for (const life of datasets) life.judge();
        return [];
      }
      if (timeline.now > deadline) return left;
    }
  }

  private asPeople(act: () => Promise<void>, afterMs = 0): void {
    const { timeline, peopleProcess } = this.at.cloud;
    timeline.after(afterMs, peopleProcess, () => void act());
  }

  private async pass(ms: number): Promise<void> {
    const { timeline } = this.at.cloud;
    await timeline.run(timeline.now + ms, this.isOver);
  }
}

function inWords(error: unknown): string {
  return error instanceof Error
    ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' | ')
    : String(error);
}
