import { Inject, Injectable } from '@nestjs/common';
import { Conflict, type Bucket, type BucketChange, type Bus } from '@skerry/bus';
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

/** Homes that are written at a time. */
const AT_ONCE = 64;
/** How often one is written that others write meanwhile. */
const TRIES = 5;

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

  /** Of what lies there under this name, whichever of its datasets it is of; 0: nothing. */
  revisionOf({ project, name }: Pick<Dataset, 'project' | 'name'>): number {
    return this.known.get(workloadKey(project, name))?.revision ?? 0;
  }

  /** Writes a home over what it was decided by. Throws `Conflict` when it was written meanwhile. */
  async write(home: DatasetHome, over: number): Promise<void> {
    const key = workloadKey(home.project, home.name);
    const revision = await this.bucket.put(key, home, over);
    this.known.set(key, { home, revision });
  }

  /** Writes each as it is: what a former writer has decided and not yet written is not written any more. */
  async writeAgain(): Promise<void> {
    const keys = [...this.known.keys()];
    while (keys.length > 0)
      await Promise.all(keys.splice(0, AT_ONCE).map(async (key) => await this.again(key)));
  }

  private async again(key: string): Promise<void> {
    let lies = this.known.get(key);
    for (let tries = 1; lies !== undefined && tries <= TRIES; tries += 1) {
      try {
        return await this.write(lies.home, lies.revision);
      } catch (error) {
        if (!(error instanceof Conflict)) throw error;
      }
      // What cannot be read stops no other dataset.
      const found = await this.bucket.get(key).catch(() => undefined);
      lies = found && { home: found.value, revision: found.revision };
    }
  }
}
