import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import {
  datasetObjectsSchema,
  LIMITS,
  workloadKey,
  type Copy,
  type CopyObjects,
  type Dataset,
  type DatasetObjects,
  type DatasetRecord,
  type DatasetSpec,
  type OwnRecord,
  type Site,
} from '@skerry/contracts';
import {
  areaAt,
  copyAt,
  copyMayBe,
  fixedHome,
  givenIn,
  isChosen,
  isKeyOver,
  judgeArea,
  originOf,
  type GivenRecords,
  type Judgement,
} from '@skerry/domain';
import { CopySetsStore } from './copy-sets.store.js';
import { HomesStore } from './homes.store.js';
import { WantedStore } from './wanted.store.js';
import { WrappedKeysStore } from './wrapped-keys.store.js';

/** Datasets as policy keeps them, and which site may have which: followed by every instance. */
@Injectable()
export class CopiesStore {
  private readonly datasets = new Map<string, Dataset>();
  /** Of datasets that sites brought back, by site and store: at which generation its copy or log was said to be held since. */
  private readonly heldAt = new Map<string, Map<string, Map<string, number>>>();
  private changed: (before: Dataset | undefined, after: Dataset) => void = () => undefined;

  constructor(
    private readonly wanted: WantedStore,
    private readonly sets: CopySetsStore,
    private readonly keys: WrappedKeysStore,
    readonly homes: HomesStore,
  ) {}

  /** Called with what each dataset was and is, from now on. */
  onChange(listener: (before: Dataset | undefined, after: Dataset) => void): void {
    this.changed = listener;
  }

  /** Returns what the dataset was before. */
  apply(change: BucketChange<Dataset>): Dataset | undefined {
    const before = this.datasets.get(change.key);
    if (change.kind !== 'put') return before;
    this.datasets.set(change.key, change.value);
    if (change.value.recovered !== true) this.heldAt.delete(change.key);
    this.changed(before, change.value);
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
  allowed(site: Site, ref: DatasetRef, what: 'read' | 'write' = 'read'): Dataset | undefined {
    const dataset = this.current(ref);
    if (dataset !== undefined && isKept(dataset) && !this.isOver(site, ref)) return dataset;
    this.refused(site, ref, { what, why: this.whyNot(ref, site) });
    return undefined;
  }

  /** Called with what sites ask for and may not have. */
  onRefused(listener: CopiesStore['refused']): void {
    this.refused = listener;
  }

  /** Says that something was refused to a site. */
  refused: (site: Site, ref: DatasetRef, refusal: { what: string; why: string }) => void = () => undefined;

  /** Whether there is or was a dataset of this name. */
  wasNamed({ project, name }: Pick<DatasetRef, 'project' | 'name'>): boolean {
    return this.datasets.has(workloadKey(project, name));
  }

  /**
   * Whether a site that holds this may know of it what the hub has lost: all of it, or, of what another site brought back, that it
   * was changed or made anew since.
   */
  isUnknown({ project, name, incarnation, generation }: DatasetRef & { generation: number }): boolean {
    const known = this.datasets.get(workloadKey(project, name));
    if (known?.recovered !== true) return known === undefined;
    return incarnation >= known.incarnation && generation > known.generation;
  }

  /** A site says that it holds this, and which store writes in it. Of a site no more stores are known than it may have nodes. */
  hears(site: Site, ref: DatasetRef & { generation: number }, store: string): void {
    const dataset = this.current(ref);
    if (dataset?.recovered !== true || this.isBarred(dataset, site)) return;
    const key = workloadKey(ref.project, ref.name);
    const bySite = this.heldAt.get(key) ?? new Map<string, Map<string, number>>();
    const stores = bySite.get(site.name) ?? new Map<string, number>();
    this.heldAt.set(key, bySite.set(site.name, stores));
    const [oldest] = stores.keys();
    if (oldest !== undefined && !stores.has(store) && stores.size >= LIMITS.nodesPerSite)
      stores.delete(oldest);
    stores.set(store, ref.generation);
  }

  /** What was heard is said again. */
  forgetHeard(): void {
    this.heldAt.clear();
  }

  /**
   * Whether what is written there is taken, and so given to others. Of a dataset that sites brought back, not from where it may be of a
   * later generation: who may have it by that may be others, and it is brought back first.
   */
  mayTake({ project, name, generation, recovered }: Dataset, origin: string): boolean {
    if (recovered !== true) return true;
    const [site = '', store = ''] = origin.split('.');
    const heldAt = this.heldAt.get(workloadKey(project, name))?.get(site)?.get(store);
    return heldAt !== undefined && heldAt <= generation;
  }

  /** Why a site has no copy of it, or not any more. */
  whyNot(ref: DatasetRef, site: Site): string {
    const dataset = this.current(ref);
    if (dataset === undefined) return 'there is no such dataset any more';
    const choice = copyAt(dataset.spec, site, this.sets.of(dataset));
    return choice.ok ? 'it may have it again' : choice.why;
  }

  /** Whether a site has to forget its copy: the dataset was removed or made anew, or the rule does not let the site have it. */
  isOver(site: Site, ref: { project: string; name: string; incarnation: number }): boolean {
    const dataset = this.datasets.get(workloadKey(ref.project, ref.name));
    if (dataset === undefined || dataset.incarnation < ref.incarnation) return false;
    if (dataset.incarnation > ref.incarnation || dataset.removed) return true;
    // Where copies are was not chosen yet: who has one keeps it.
    const open = isChosen(dataset.spec.copies) && this.sets.of(dataset) === undefined;
    return open ? this.isBarred(dataset, site) : !this.mayHave(dataset, site);
  }

  /** The wall: asked anew with each message, so that a rule holds from the moment that it is heard. */
  mayHave(dataset: Dataset, site: Site): boolean {
    return !dataset.removed && copyAt(dataset.spec, site, this.sets.of(dataset)).ok;
  }

  /** Whether a rule forbids that it is there, whatever is chosen. */
  isBarred(dataset: Dataset, site: Site): boolean {
    return !copyMayBe(dataset.spec, site).ok;
  }

  /** Whether no site has this key of a dataset that may not have the dataset any more: only then more is sealed with it. */
  maySeal(dataset: Dataset, id: string): boolean {
    const key = this.keys.get(dataset, id);
    return key !== undefined && !isKeyOver(key, (name) => this.isStranger(dataset, name));
  }

  /** Whether a site of this name may have no copy, whatever is chosen, or is none. */
  isStranger(dataset: Dataset, name: string): boolean {
    const site = this.wanted.site(name);
    return site === undefined || this.isBarred(dataset, site);
  }

  /** With `residency.origin`: the area that a site is in. */
  areaOf({ spec }: Dataset, site: Site | undefined): string | undefined {
    const rule = originOf(spec.residency);
    const found = rule === undefined || site === undefined ? undefined : areaAt(rule, site);
    return found?.ok === true ? found.area : undefined;
  }

  /** What of its records a site with a copy may be given: all; with `residency.origin` what that leaves of them. */
  givenTo(dataset: Dataset, site: Site, records: DatasetRecord[]): GivenRecords {
    const rule = originOf(dataset.spec.residency);
    if (rule === undefined) return { records };
    const area = this.areaOf(dataset, site);
    if (area === undefined) return { records: [] };
    return givenIn(rule, area, { records, areaOf: (origin) => this.areaOfStore(dataset, origin) });
  }

  /** Refuses what a site may not say of other areas; undefined: nothing to refuse. */
  judgeArea(dataset: Dataset, site: Site, record: OwnRecord): Judgement | undefined {
    const area = this.areaOf(dataset, site);
    return area === undefined
      ? undefined
      : judgeArea(record, area, (origin) => this.areaOfStore(dataset, origin));
  }

  /** With `residency.origin`: the area that a store writes in. Where a site is never changes, and one that was removed is still known. */
  areaOfStore(dataset: Dataset, origin: string): string | undefined {
    const [site = ''] = origin.split('.');
    return this.areaOf(dataset, this.wanted.site(site));
  }

  /** Datasets of which a site has a copy. */
  ofSite(site: Site): Dataset[] {
    return [...this.datasets.values()].filter((dataset) => isKept(dataset) && this.mayHave(dataset, site));
  }

  /** Sites that have a copy of a dataset. */
  sitesOf(dataset: Dataset): Site[] {
    return this.wanted.allSites().filter((site) => this.mayHave(dataset, site));
  }
}

/** A dataset, and which of those that had its name. */
export type DatasetRef = Pick<Dataset, 'project' | 'name' | 'incarnation'>;

/** Whether its copies are made of records. Logs have ways of their own. */
export function isKept({ spec }: Dataset): boolean {
  return spec.type !== 'log';
}

/** What a site needs to know of a dataset; of bandwidth what is about its own link alone. */
export function copyOf({ project, name, incarnation, generation, spec }: Dataset, site?: string): Copy {
  const home = fixedHome(spec);
  return {
    project,
    name,
    incarnation,
    generation,
    conflicts: spec.conflicts,
    ...(home === undefined ? {} : { home }),
    ...(spec.ttlMs === undefined ? {} : { ttlMs: spec.ttlMs }),
    limits: spec.limits,
    ...(spec.encryption && {
      encryption: spec.encryption,
      ...(spec.residency && { residency: spec.residency }),
    }),
    ...(spec.type === 'objects' ? { objects: objectsAt(objectsOf(spec), site) } : {}),
  };
}

/** What is said of the objects of a dataset, or else is so. */
export function objectsOf({ objects }: Pick<DatasetSpec, 'objects'>): DatasetObjects {
  return objects ?? datasetObjectsSchema.parse({});
}

function objectsAt({ bandwidth, ...rest }: DatasetObjects, site: string | undefined): CopyObjects {
  const here = bandwidth.filter(({ sites }) => sites === undefined || sites.some((name) => name === site));
  return { ...rest, bandwidth: here.map(({ sites: _sites, ...rule }) => rule) };
}
