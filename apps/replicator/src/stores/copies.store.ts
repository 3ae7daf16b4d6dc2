import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import { workloadKey, type Copy, type Dataset, type Site } from '@skerry/contracts';
import { copyAt } from '@skerry/domain';
import { WantedStore } from './wanted.store.js';

/** Datasets as policy keeps them, and which site may have which: followed by every instance. */
@Injectable()
export class CopiesStore {
  private readonly datasets = new Map<string, Dataset>();

  constructor(private readonly wanted: WantedStore) {}

  /** Returns what the dataset was before. */
  apply(change: BucketChange<Dataset>): Dataset | undefined {
    const before = this.datasets.get(change.key);
    if (change.kind === 'put') this.datasets.set(change.key, change.value);
    return before;
  }

  all(): Iterable<Dataset> {
    return this.datasets.values();
  }

  /** The dataset of this name, unless it is removed. */
  named(project: string, name: string): Dataset | undefined {
    const dataset = this.datasets.get(workloadKey(project, name));
    return dataset?.removed === true ? undefined : dataset;
  }

  /** The dataset as it is now, when it is this one still. */
  current(ref: { project: string; name: string; incarnation: number }): Dataset | undefined {
    const dataset = this.datasets.get(workloadKey(ref.project, ref.name));
    return dataset?.incarnation === ref.incarnation && !dataset.removed ? dataset : undefined;
  }

  /** The dataset, when it is this one still, and the site may have it. */
  allowed(site: Site, ref: { project: string; name: string; incarnation: number }): Dataset | undefined {
    const dataset = this.current(ref);
    return dataset !== undefined && mayHave(dataset, site) ? dataset : undefined;
  }

  /** Whether a site has to forget its copy: the dataset was removed or made anew, or the rule does not let the site have it. */
  isOver(site: Site, ref: { project: string; name: string; incarnation: number }): boolean {
    const dataset = this.datasets.get(workloadKey(ref.project, ref.name));
    if (dataset === undefined || dataset.incarnation < ref.incarnation) return false;
    return dataset.incarnation > ref.incarnation || !mayHave(dataset, site);
  }

  /** Datasets of which a site has a copy. */
  ofSite(site: Site): Dataset[] {
    return [...this.datasets.values()].filter((dataset) => mayHave(dataset, site));
  }

  /** Sites that have a copy of a dataset. */
  sitesOf(dataset: Dataset): Site[] {
    return this.wanted.allSites().filter((site) => mayHave(dataset, site));
  }
}

/** The wall: asked anew with each message, so that a rule holds from the moment that it is heard. */
export function mayHave(dataset: Dataset, site: Site): boolean {
  return !dataset.removed && copyAt(dataset.spec, site).ok;
}

/** What a site needs to know of a dataset. */
export function copyOf({ project, name, incarnation, generation, spec }: Dataset): Copy {
  return {
    project,
    name,
    incarnation,
    generation,
    conflicts: spec.conflicts,
    ...(spec.home === undefined ? {} : { home: spec.home }),
    ...(spec.ttlMs === undefined ? {} : { ttlMs: spec.ttlMs }),
    limits: spec.limits,
  };
}
