import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, BucketChange, Bus } from '@skerry/bus';
import { BUCKETS, dataKeySchema, workloadKey, type DataKey, type Dataset } from '@skerry/contracts';
import { BUS } from '@skerry/service';

type Ref = Pick<Dataset, 'project' | 'name' | 'incarnation'>;

/**
 * The bucket `data-keys`: keys of encrypted datasets, each wrapped for the nodes that have it, so that the hub reads none of them.
 * Followed by every instance, written by the active one.
 */
@Injectable()
export class WrappedKeysStore {
  private readonly bucket: Bucket<DataKey>;
  /** By dataset (`<project>.<name>`), its keys by id. */
  private readonly known = new Map<string, Map<string, Known>>();

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.dataKeys, (value) => dataKeySchema.parse(value));
  }

  apply(change: BucketChange<DataKey>): void {
    const [project = '', name = '', id = ''] = change.key.split('.');
    const keys = this.keysOf(workloadKey(project, name));
    const before = keys.get(id);
    if (change.kind !== 'put') keys.delete(id);
    else if (change.revision > (before?.revision ?? 0))
      keys.set(id, { key: change.value, revision: change.revision });
  }

  /** The keys of a dataset, as it is now. */
  of({ project, name, incarnation }: Ref): DataKey[] {
    const keys = [...(this.known.get(workloadKey(project, name))?.values() ?? [])].map(({ key }) => key);
    return keys.filter((key) => key.incarnation === incarnation);
  }

  get({ project, name, incarnation }: Ref, id: string): DataKey | undefined {
    const key = this.known.get(workloadKey(project, name))?.get(id)?.key;
    return key?.incarnation === incarnation ? key : undefined;
  }

  /** Writes a key over what is known of it. Throws `Conflict` when it was written meanwhile. */
  async write(key: DataKey): Promise<void> {
    const keys = this.keysOf(workloadKey(key.project, key.name));
    const revision = await this.bucket.put(placeOf(key), key, keys.get(key.id)?.revision ?? 0);
    keys.set(key.id, { key, revision });
  }

  /**
   * Deletes the keys of what the dataset was before, and its own once it is removed. Never those of what it has been made since,
   * of which an instance that stood still has not heard: what is sealed with them could be read by nobody.
   */
  async drop({ project, name, incarnation, removed }: Ref & Pick<Dataset, 'removed'>): Promise<void> {
    const keys = this.keysOf(workloadKey(project, name));
    for (const { key } of keys.values())
      if (key.incarnation < incarnation || (removed && key.incarnation === incarnation)) {
        await this.bucket.delete(placeOf(key));
        keys.delete(key.id);
      }
  }

  private keysOf(dataset: string): Map<string, Known> {
    const keys = this.known.get(dataset) ?? new Map<string, Known>();
    this.known.set(dataset, keys);
    return keys;
  }
}

interface Known {
  key: DataKey;
  revision: number;
}

const placeOf = ({ project, name, id }: DataKey) => `${workloadKey(project, name)}.${id}`;
