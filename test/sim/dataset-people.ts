import { BUCKETS, bucketStream, bucketSubject, copySetSchema, type Dataset } from '@skerry/contracts';
import { isChosen } from '@skerry/domain';
import type { Random } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import type { DatasetOwner } from './dataset-owner.js';
import { jsonOf } from './follow-stream.js';
import { PROJECT, type People } from './people.js';
import type { SimSite } from './sim-site.js';

/** Between two changes of what people want of them. */
const CHANGES_MS = [1_500, 9_000] as const;

/** People who make datasets, use them, want something else of them, and remove them; and where copies have to be then. */
export class DatasetPeople {
  private living = true;

  constructor(
    private readonly cloud: Cloud,
    private readonly people: People,
    private readonly at: {
      owner: DatasetOwner;
      random: Random;
      /** Servers may lose what they have said is stored: then nothing is removed. */
      forgetful: boolean;
      /** Somebody else makes them, with a workload that uses each. */
      made: boolean;
    },
  ) {}

  begin(): void {
    const { owner, random, made } = this.at;
    if (made) return;
    for (const name of owner.names) this.asPeople(() => owner.make(name), random.between(0, 4_000));
    this.useSome();
  }

  /** People change nothing more. */
  end(): void {
    this.living = false;
  }

  changeLater(): void {
    const { owner, random, forgetful } = this.at;
    const { timeline } = this.cloud;
    timeline.after(random.between(...CHANGES_MS), timeline.world, () => {
      if (!this.living) return;
      const name = random.pick(owner.names);
      const used = this.isUsed(name);
      const removed = owner.current(name)?.removed === true;
      if (removed) this.asPeople(() => owner.make(name));
      else if (used || forgetful || random.chance(0.7)) this.asPeople(() => owner.alter(name));
      else this.asPeople(() => owner.remove(name));
      this.changeLater();
    });
  }

  /** Sites that have to have a copy, and those that may have none. */
  placesOf(dataset: Dataset): { has: SimSite[]; hasNone: SimSite[] } {
    const chosen = this.chosen(dataset);
    const has = this.cloud.sites.filter(({ name }) => {
      const wanted = !isChosen(dataset.spec.copies) || chosen?.has(name) === true;
      return !dataset.removed && wanted && !this.at.owner.bars(dataset, name);
    });
    return { has, hasNone: this.cloud.sites.filter((site) => !has.includes(site)) };
  }

  /** As many copies as are wanted, as far as there are sites for them. */
  unchosen(dataset: Dataset): string[] {
    const { spec, name, removed } = dataset;
    const chosen = this.chosen(dataset);
    if (removed || !isChosen(spec.copies)) return [];
    if (chosen === undefined) return [`copies of ${name} are not chosen`];
    const possible = this.cloud.sites.filter((site) => !this.at.owner.bars(dataset, site.name)).length;
    const { min = 1, max = Infinity } = spec.copies;
    if (chosen.size < Math.min(min, possible)) return [`${name} has ${chosen.size} copies, not ${min}`];
    // Of what is used there may be more: a copy there stays.
    const used = this.isUsed(name);
    return chosen.size > max && !used ? [`${name} has ${chosen.size} copies, more than ${max}`] : [];
  }

  /** Workloads that say they use a dataset. */
  private useSome(): void {
    const { owner, random } = this.at;
    for (const dataset of owner.names) {
      if (!random.chance(0.5)) continue;
      const data = [{ dataset, access: 'read' as const }];
      const act = () => this.people.add(`uses-${dataset}`, (spec) => ({ ...spec, data }));
      this.asPeople(act, random.between(0, 4_000));
    }
  }

  private isUsed(name: string): boolean {
    return this.at.made || this.people.keys().includes(`${PROJECT}.uses-${name}`);
  }

  private chosen({ name, incarnation }: Dataset): ReadonlySet<string> | undefined {
    const m = this.cloud.hub.memory.streams
      .get(bucketStream(BUCKETS.copies.name))
      ?.newest(bucketSubject(BUCKETS.copies.name, `${PROJECT}.${name}`));
    const set = m === undefined ? undefined : copySetSchema.parse(jsonOf(m));
    return set?.incarnation === incarnation ? new Set(set.copies.map(({ site }) => site)) : undefined;
  }

  private asPeople(act: () => Promise<void>, afterMs = 0): void {
    const { timeline, peopleProcess } = this.cloud;
    timeline.after(afterMs, peopleProcess, () => void act());
  }
}
