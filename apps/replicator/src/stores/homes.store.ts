import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, BucketChange, Bus } from '@skerry/bus';
import {
  BUCKETS,
  datasetHomeSchema,
  workloadKey,
  type Dataset,
  type DatasetHome,
  type Holder,
} from '@skerry/contracts';
import { homeWith } from '@skerry/domain';
import { BUS } from '@skerry/service';

type Ref = Pick<Dataset, 'project' | 'name' | 'incarnation'>;

/** The bucket `homes`: which site writes a dataset whose home goes with a workload. Followed by every instance, written by the active one. */
@Injectable()
export class HomesStore {
  private readonly bucket: Bucket<DatasetHome>;
  private readonly known = new Map<string, { home: DatasetHome; revision: number }>();

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.homes, (value) => datasetHomeSchema.parse(value));
  }

  apply(change: BucketChange<DatasetHome>): void {
    const revision = this.known.get(change.key)?.revision ?? 0;
    if (change.kind === 'put' && change.revision > revision)
      this.known.set(change.key, { home: change.value, revision: change.revision });
    else if (change.kind === 'gone') this.known.delete(change.key);
  }

  get({ project, name, incarnation }: Ref): DatasetHome | undefined {
    const home = this.known.get(workloadKey(project, name))?.home;
    return home?.incarnation === incarnation ? home : undefined;
  }

  /** What a copy of this store is told of it; nothing for a home that does not move. */
  holderOf(dataset: Pick<Dataset, 'spec'> & Ref, store?: string): Holder | undefined {
    const workload = homeWith(dataset.spec);
    if (workload === undefined) return undefined;
    const home = this.get(dataset);
    if (home === undefined) return { with: workload, epoch: 0, losses: 0 };
    const { site, epoch, losses, closing, stores } = home;
    const pen = closing === undefined && store !== undefined && stores.includes(store);
    return { with: workload, site, epoch, losses, ...(closing && { closing }), ...(pen ? { pen } : {}) };
  }

  /** Writes a home over what is known of it. Throws `Conflict` when it was written meanwhile. */
  async write(home: DatasetHome): Promise<void> {
    const key = workloadKey(home.project, home.name);
    const revision = await this.bucket.put(key, home, this.known.get(key)?.revision ?? 0);
    this.known.set(key, { home, revision });
  }
}
