import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus, Entry, Headers } from '@skerry/bus';
import { BUCKETS, storedAs, workloadKey, workloadSchema, type Workload } from '@skerry/contracts';
import type { Warranted } from '@skerry/domain';
import { BUS } from '@skerry/service';
import { Warrants } from '../warrants.js';

/** A noun with the revision it was read at, and what it was written with. */
export type Held<T> = Pick<Entry<T>, 'value' | 'revision' | 'headers' | 'at'>;

/** The bucket `workloads`, which only policy writes. */
@Injectable()
export class WorkloadsStore {
  private readonly bucket: Bucket<Workload>;

  constructor(
    @Inject(BUS) bus: Bus,
    @Inject(Warrants) private readonly warrants: Warrants,
  ) {
    this.bucket = bus.bucket(BUCKETS.workloads, storedAs(workloadSchema));
  }

  /** Those of the keys that exist, tombstones included. */
  async read(keys: readonly string[]): Promise<Map<string, Held<Workload>>> {
    const entries = await Promise.all(keys.map((key) => this.bucket.get(key)));
    return new Map(entries.flatMap((entry) => (entry ? [[entry.key, entry]] : [])));
  }

  /** Whether policy admitted exactly this once. */
  wasAdmitted(workload: Warranted, warrant: string): boolean {
    return this.warrants.holds(workload, warrant);
  }

  /**
   * Commits all or none, with a warrant each, and each conditional on the revision in `read` (0: the key was not there). Throws
   * `Conflict`.
   */
  async commit(
    workloads: readonly Workload[],
    read: ReadonlyMap<string, Held<Workload>>,
    headers: Headers,
  ): Promise<void> {
    const writes = workloads.map((workload) => {
      const value = { ...workload, warrant: this.warrants.of(workload) };
      const key = workloadKey(value.project, value.name);
      return { key, value, revision: read.get(key)?.revision ?? 0, headers };
    });
    const [only] = writes;
    if (writes.length === 1 && only) await this.bucket.put(only.key, only.value, only.revision, { headers });
    else if (writes.length > 1) await this.bucket.putAll(writes);
  }
}
