import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, BucketChange, Bus, Headers } from '@skerry/bus';
import { BUCKETS, datasetSchema, workloadKey, type Dataset, type Workload } from '@skerry/contracts';
import type { WarrantedDataset } from '@skerry/domain';
import { BUS, CONFIG } from '@skerry/service';
import type { PolicyConfig } from '../config.js';
import { Warrants } from '../warrants.js';
import type { Held } from './workloads.store.js';

/** The bucket `datasets`, which only policy writes; and which workloads say they use them, as last heard. */
@Injectable()
export class DatasetsStore {
  private readonly bucket: Bucket<Dataset>;
  /** By workload: the datasets of its project. */
  private readonly uses = new Map<string, Set<string>>();

  /** Where the hub is, which keeps their records; empty: nobody has said. */
  readonly hubJurisdictions: readonly string[];

  constructor(
    @Inject(BUS) bus: Bus,
    @Inject(CONFIG) config: PolicyConfig,
    @Inject(Warrants) private readonly warrants: Warrants,
  ) {
    this.hubJurisdictions = config.hubJurisdictions;
    this.bucket = bus.bucket(BUCKETS.datasets, (value) => datasetSchema.parse(value));
  }

  hearWorkload(change: BucketChange<Workload>): void {
    if (change.kind !== 'put') return;
    const { project, name, removed, spec } = change.value;
    const used = removed ? [] : (spec.data ?? []);
    if (used.length === 0) this.uses.delete(workloadKey(project, name));
    else this.uses.set(workloadKey(project, name), new Set(used.map((use) => use.dataset)));
  }

  /** Names of workloads that say they use a dataset. */
  usersOf(project: string, dataset: string): string[] {
    const before = `${project}.`;
    const users = [...this.uses].filter(([key, used]) => key.startsWith(before) && used.has(dataset));
    return users.map(([key]) => key.slice(before.length)).toSorted();
  }

  /** Those of the keys that exist, tombstones included. */
  async read(keys: readonly string[]): Promise<Map<string, Held<Dataset>>> {
    const entries = await Promise.all(keys.map((key) => this.bucket.get(key)));
    return new Map(entries.flatMap((entry) => (entry ? [[entry.key, entry]] : [])));
  }

  /** Whether policy admitted exactly this once. */
  wasAdmitted(dataset: WarrantedDataset, warrant: string): boolean {
    return this.warrants.holdsDataset(dataset, warrant);
  }

  /** Commits all or none, with a warrant each, and each conditional on the revision in `read` (0: the key was not there). Throws `Conflict`. */
  async commit(
    datasets: readonly Dataset[],
    read: ReadonlyMap<string, Held<Dataset>>,
    headers: Headers,
  ): Promise<void> {
    const writes = datasets.map((dataset) => {
      const value = { ...dataset, warrant: this.warrants.ofDataset(dataset) };
      const key = workloadKey(value.project, value.name);
      return { key, value, revision: read.get(key)?.revision ?? 0, headers };
    });
    const [only] = writes;
    if (writes.length === 1 && only) await this.bucket.put(only.key, only.value, only.revision, { headers });
    else if (writes.length > 1) await this.bucket.putAll(writes);
  }
}
