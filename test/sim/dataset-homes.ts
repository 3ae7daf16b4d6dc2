import {
  BUCKETS,
  bucketStream,
  bucketSubject,
  datasetHomeSchema,
  type Dataset,
  type DatasetHome,
  type StoredRecord,
} from '@skerry/contracts';
import type { Random } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import { termOf, wrongAtHome, wrongOrder, type Counted, type HomeWord } from './dataset-accounts.js';
import { keeperOf, type DatasetOwner } from './dataset-owner.js';
import type { DatasetWriters } from './dataset-writers.js';
import { jsonOf } from './follow-stream.js';
import type { Broken } from './invariants.js';
import { HomeFaults } from './home-faults.js';
import { PROJECT, type People } from './people.js';
import type { SimNode } from './sim-node.js';
import type { SimSite } from './sim-site.js';

/** Between two changes that have keepers go elsewhere. */
const MOVES_MS = [3_000, 12_000] as const;
/** So long a site is emptied. */
const EMPTY_MS = [2_000, 15_000] as const;
/** By clocks that are off by up to 2 s each, the nodes of one site may order what they write at the same time. */
const APART_MS = 4_100;

/** A record of a home that the hub has taken. */
interface Taken extends HomeWord {
  name: string;
  incarnation: number;
  key: string;
  sequence: number;
}

/** Homes that go with a workload: who moves them, what breaks meanwhile, and what has to hold of them. */
export class DatasetHomes {
  private readonly faults: HomeFaults;
  private living = true;
  private taken: Taken[] = [];
  /** Homes in which a workload has written once everything was at rest. */
  private readonly written = new Set<string>();
  private readonly trying = new Set<string>();

  constructor(
    private readonly cloud: Cloud,
    private readonly people: People,
    private readonly at: { owner: DatasetOwner; random: Random; fail: (broken: Broken) => void },
  ) {
    this.faults = new HomeFaults(cloud, at.random.fork('faults'));
  }

  /** The workload that a dataset's home goes with comes with it. */
  begin(names: readonly string[]): void {
    for (const name of names)
      this.asPeople(async () => await this.make(name), this.at.random.between(0, 2_000));
    this.faults.begin();
    this.moveLater();
  }

  /** Nothing breaks any more, and nobody has homes move. */
  end(): void {
    this.living = false;
    this.faults.heal();
  }

  /** Where a home is, as the hub has it. */
  siteOf(name: string): SimSite | undefined {
    const home = this.homeOf(name);
    return home && this.cloud.site(home.site);
  }

  /** The hub has lost what it took after this sequence. */
  lost(last: number): void {
    this.taken = this.taken.filter(({ sequence }) => sequence <= last);
  }

  /** The hub takes what was written in the present epoch of the present home, and in terms before its own, which it may have forgotten. */
  took({ name, incarnation, key, origin, state }: StoredRecord, sequence: number): void {
    if (state.rule !== 'single-writer') return;
    const [site = ''] = origin.split('.');
    const { epoch, value } = state;
    const home = this.homeOf(name);
    const isOfHome = home?.incarnation === incarnation && home.site === site && home.epoch === epoch;
    const isOfBefore = home !== undefined && termOf(epoch) < termOf(home.epoch);
    if (!isOfHome && !isOfBefore) {
      const now = home === undefined ? 'nowhere' : `${home.site} in epoch ${home.epoch}`;
      this.fail('copies', `a record of ${name} from ${site} in epoch ${epoch} is taken; its home is ${now}`);
    }
    const mine = this.taken.filter((t) => t.name === name && t.incarnation === incarnation);
    const other = mine.find((t) => t.epoch === epoch && t.site !== site);
    if (other !== undefined)
      this.fail('home', `${name} is written at ${site} and at ${other.site} in epoch ${epoch}`);
    const atMs = this.cloud.timeline.now;
    this.taken.push({ name, incarnation, key, site, epoch, value, atMs, sequence });
  }

  /** What is not as it is wanted: the home is where its keeper runs and takes what that writes, and all copies know so. */
  unrestOf({ name, incarnation }: Dataset, writers: DatasetWriters): string[] {
    const key = `${PROJECT}.${keeperOf(name)}`;
    const runs = this.cloud.sites.flatMap((site) =>
      site.nodes.flatMap((node) => {
        const mine = [...node.machine.replicas.values()].filter((r) => r.key === key);
        return mine.map(({ token }) => ({ site, node, token }));
      }),
    );
    const [keeper] = runs;
    const home = this.homeOf(name);
    if (keeper === undefined || runs.length > 1) return [];
    if (home?.incarnation !== incarnation || home.site !== keeper.site.name || home.closing === true)
      return [
        `the home of ${name} is not ${keeper.site.name}, where its keeper runs: ${JSON.stringify(home)}`,
      ];
    const unknowing = this.cloud.nodes.flatMap((node) => this.unknowing(node, home));
    if (unknowing.length > 0 || keeper.token === undefined) return unknowing;
    const what = `${name} ${home.epoch} on ${keeper.node.name}`;
    if (this.written.has(what)) return [];
    if (!this.trying.has(what)) {
      this.trying.add(what);
      void writers.canWrite(keeper.site, keeper.node, { name, token: keeper.token }).then((can) => {
        this.trying.delete(what);
        if (can) this.written.add(what);
      });
    }
    return [`the keeper of ${what} has not written yet`];
  }

  /** What is wrong with one of them in the end. `keys`: all that was written to each and not refused, and what it shows. */
  wrongWith(
    { name, incarnation }: Dataset,
    keys: ReadonlyMap<string, { entries: readonly Counted[]; value: string | undefined }>,
  ): string | undefined {
    const taken = this.taken.filter((t) => t.name === name && t.incarnation === incarnation);
    const aside = this.cloud.nodes.flatMap((node) => asideAt(node, { name, incarnation }));
    for (const [key, { entries, value }] of keys) {
      const words = {
        taken: taken.filter((t) => t.key === key),
        aside: aside.filter((a) => a.key === key),
        apartMs: (site: string) => (this.cloud.site(site).several ? APART_MS : 0),
      };
      const wrong = wrongAtHome(entries, value, words);
      if (wrong !== undefined) return `${name}/${key} ${wrong}`;
    }
    const all = [...keys.values()].flatMap(({ entries }) => entries);
    const wrong = wrongOrder(all, [...taken, ...aside]);
    return wrong && `${name} ${wrong}`;
  }

  /** Whether nothing is left of a copy that was given up but what people have to look at. */
  keepsAside({ agent }: SimNode, name: string): boolean {
    const key = `${PROJECT}.${name}`;
    return agent?.copies.get(key) === undefined && agent?.copies.kept(key)?.copy.home.hasAside === true;
  }

  private async make(name: string): Promise<void> {
    await this.at.owner.make(name);
    await this.keep(name);
  }

  private async keep(name: string): Promise<void> {
    const data = [{ dataset: name, access: 'write' as const }];
    await this.people.add(keeperOf(name), (spec) => ({
      ...spec,
      type: 'singleton',
      placement: { ...spec.placement, replicas: 1 },
      data,
    }));
  }

  /** Keepers go elsewhere since their site is emptied, or since people want them otherwise. */
  private moveLater(): void {
    const { random, owner } = this.at;
    const { timeline } = this.cloud;
    timeline.after(random.between(...MOVES_MS), timeline.world, () => {
      if (!this.living) return;
      const name = random.pick(owner.names);
      const key = `${PROJECT}.${keeperOf(name)}`;
      const site = this.homeOf(name)?.site;
      const keeper = this.people.newest(key);
      if (keeper?.removed === true) this.asPeople(async () => await this.keep(name));
      else if (site !== undefined && random.chance(0.7)) {
        this.asPeople(async () => await this.people.empty(site, 'drain'));
        this.asPeople(async () => await this.people.empty(site, undefined), random.between(...EMPTY_MS));
      } else this.asPeople(async () => await this.people.alter(key));
      this.moveLater();
    });
  }

  private unknowing(node: SimNode, home: DatasetHome): string[] {
    const copy = node.agent?.copies.get(`${PROJECT}.${home.name}`)?.copy;
    const holder = copy?.rule.holder;
    if (copy === undefined || (holder?.site === home.site && holder.epoch === home.epoch)) return [];
    return [
      `${node.name} takes ${holder?.site} in epoch ${holder?.epoch} for the home of ${home.name}, not ${home.site} in epoch ${home.epoch}`,
    ];
  }

  private homeOf(name: string): DatasetHome | undefined {
    const m = this.cloud.hub.memory.streams
      .get(bucketStream(BUCKETS.homes.name))
      ?.newest(bucketSubject(BUCKETS.homes.name, `${PROJECT}.${name}`));
    return m && datasetHomeSchema.parse(jsonOf(m));
  }

  private asPeople(act: () => Promise<void>, afterMs = 0): void {
    const { timeline, peopleProcess } = this.cloud;
    timeline.after(afterMs, peopleProcess, () => void act());
  }

  private fail(invariant: string, detail: string): void {
    this.at.fail({ invariant, detail });
  }
}

/** What a node's copy keeps for people. */
function asideAt(node: SimNode, { name, incarnation }: Pick<Dataset, 'name' | 'incarnation'>) {
  const copy = node.agent?.copies.kept(`${PROJECT}.${name}`)?.copy;
  if (copy?.rule.incarnation !== incarnation) return [];
  return [...copy.home.lines()].flatMap((line) => {
    if (!Array.isArray(line) || line[0] !== 'a' || line[2].rule !== 'single-writer') return [];
    const [, key, { epoch, by, value }] = line;
    const [site = ''] = by.split('.');
    return [{ key, site, epoch, value }];
  });
}
