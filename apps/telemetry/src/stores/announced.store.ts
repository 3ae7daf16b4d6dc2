import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, BucketChange, Bus } from '@skerry/bus';
import { announcedSchema, BUCKETS, storedAs, workloadKey, type Announced } from '@skerry/contracts';
import { BUS } from '@skerry/service';

/** Bucket `status`: the phase of each workload that was announced last. */
@Injectable()
export class AnnouncedStore {
  private readonly bucket: Bucket<Announced>;
  private readonly known = new Map<string, { value: Announced; revision: number }>();

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.status, storedAs(announcedSchema));
  }

  apply(change: BucketChange<Announced>): void {
    if (change.kind === 'put') this.learn(change.key, change.value, change.revision);
    else if (change.kind === 'gone') this.known.delete(change.key);
  }

  of(key: string): Announced | undefined {
    return this.known.get(key)?.value;
  }

  /** Fails with `Conflict` when another instance was faster. */
  async put(value: Announced): Promise<void> {
    const key = workloadKey(value.project, value.name);
    this.learn(key, value, await this.bucket.put(key, value, this.known.get(key)?.revision ?? 0));
  }

  private learn(key: string, value: Announced, revision: number): void {
    const known = this.known.get(key);
    if (known === undefined || known.revision < revision) this.known.set(key, { value, revision });
  }
}
