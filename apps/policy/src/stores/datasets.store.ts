import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus, Headers } from '@skerry/bus';
import { BUCKETS, datasetSchema, workloadKey, type Dataset } from '@skerry/contracts';
import { BUS, CONFIG } from '@skerry/service';
import type { PolicyConfig } from '../config.js';
import type { Held } from './workloads.store.js';

/** The bucket `datasets`, which only policy writes. */
@Injectable()
export class DatasetsStore {
  private readonly bucket: Bucket<Dataset>;

  /** Where the hub is, which keeps their records; empty: nobody has said. */
  readonly hubJurisdictions: readonly string[];

  constructor(@Inject(BUS) bus: Bus, @Inject(CONFIG) config: PolicyConfig) {
    this.hubJurisdictions = config.hubJurisdictions;
    this.bucket = bus.bucket(BUCKETS.datasets, (value) => datasetSchema.parse(value));
  }

  /** Those of the keys that exist, tombstones included. */
  async read(keys: readonly string[]): Promise<Map<string, Held<Dataset>>> {
    const entries = await Promise.all(keys.map((key) => this.bucket.get(key)));
    return new Map(entries.flatMap((entry) => (entry ? [[entry.key, entry]] : [])));
  }

  /** Commits all or none, each conditional on the revision in `read` (0: the key was not there). Throws `Conflict`. */
  async commit(
    datasets: readonly Dataset[],
    read: ReadonlyMap<string, Held<Dataset>>,
    headers: Headers,
  ): Promise<void> {
    const writes = datasets.map((value) => {
      const key = workloadKey(value.project, value.name);
      return { key, value, revision: read.get(key)?.revision ?? 0, headers };
    });
    const [only] = writes;
    if (writes.length === 1 && only) await this.bucket.put(only.key, only.value, only.revision, { headers });
    else if (writes.length > 1) await this.bucket.putAll(writes);
  }
}
