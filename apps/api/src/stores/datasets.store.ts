import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import {
  copySetSchema,
  datasetHomeSchema,
  datasetSchema,
  Refusal,
  workloadKey,
  type CopySet,
  type Dataset,
  type DatasetHome,
  type DatasetList,
  type PlacedHome,
  type Site,
  type WorkloadRef,
} from '@skerry/contracts';
import { copyAt, type CopyChoice } from '@skerry/domain';

/** Datasets as policy keeps them, and where their copies were chosen to be: followed. */
@Injectable()
export class DatasetsStore {
  private readonly datasets = new Map<string, Dataset>();
  private readonly sets = new Map<string, CopySet>();
  private readonly homes = new Map<string, DatasetHome>();

  take(change: BucketChange<unknown>): void {
    const parsed = change.kind === 'put' ? datasetSchema.safeParse(change.value) : undefined;
    if (parsed?.success === true) this.datasets.set(change.key, parsed.data);
    else this.datasets.delete(change.key);
  }

  takeCopies(change: BucketChange<unknown>): void {
    const parsed = change.kind === 'put' ? copySetSchema.safeParse(change.value) : undefined;
    if (parsed?.success === true) this.sets.set(change.key, parsed.data);
    else this.sets.delete(change.key);
  }

  takeHome(change: BucketChange<unknown>): void {
    const parsed = change.kind === 'put' ? datasetHomeSchema.safeParse(change.value) : undefined;
    if (parsed?.success === true) this.homes.set(change.key, parsed.data);
    else this.homes.delete(change.key);
  }

  /** Of a home that moves: where it is. */
  homeNow({ project, name, incarnation }: Dataset): PlacedHome | undefined {
    const home = this.homes.get(workloadKey(project, name));
    if (home?.incarnation !== incarnation) return undefined;
    const { site, epoch, closing, since } = home;
    return { site, epoch, since, ...(closing && { closing }) };
  }

  /** Those that are not removed, with where homes are that move. */
  listed(): DatasetList {
    return this.all().map((dataset) => {
      const homeNow = this.homeNow(dataset);
      return homeNow === undefined ? dataset : { ...dataset, homeNow };
    });
  }

  /** Where copies were chosen to be; undefined when they are not, or not yet. */
  copySet({ project, name, incarnation }: Dataset): CopySet | undefined {
    const set = this.sets.get(workloadKey(project, name));
    return set?.incarnation === incarnation ? set : undefined;
  }

  /** Whether a site has a copy, or why not. */
  copyAt(dataset: Dataset, site: Site): CopyChoice {
    return copyAt(dataset.spec, site, new Set(this.copySet(dataset)?.copies.map((copy) => copy.site)));
  }

  /** Those that are not removed, by project and name. */
  all(): Dataset[] {
    const there = [...this.datasets].filter(([, { removed }]) => !removed);
    return there.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, dataset]) => dataset);
  }

  /** Throws `Refusal` `not-found`. */
  one({ project, name }: WorkloadRef): Dataset {
    const dataset = this.datasets.get(workloadKey(project, name));
    if (dataset !== undefined && !dataset.removed) return dataset;
    throw new Refusal('not-found', `there is no dataset ${project}/${name}`, {
      hint: 'list them with "skerry data ls"',
    });
  }
}
