import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, BucketChange, Bus } from '@skerry/bus';
import { BUCKETS, copySetSchema, workloadKey, type CopySet, type Dataset } from '@skerry/contracts';
import { BUS } from '@skerry/service';

interface Known {
  readonly set: CopySet;
  readonly revision: number;
  readonly sites: ReadonlySet<string>;
}

/** The bucket `copies`: where copies are, of the datasets whose copies are chosen. Followed by every instance, written by the active one. */
@Injectable()
export class CopySetsStore {
  private readonly bucket: Bucket<CopySet>;
  private readonly known = new Map<string, Known>();
  private changed: (before: CopySet | undefined, after: CopySet) => void = () => undefined;

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.copies, (value) => copySetSchema.parse(value));
  }

  /** Called with what each choice was and is, from now on. */
  onChange(listener: (before: CopySet | undefined, after: CopySet) => void): void {
    this.changed = listener;
  }

  /** Returns what was known before; the same when this was known already. */
  apply(change: BucketChange<CopySet>): CopySet | undefined {
    const before = this.known.get(change.key);
    if (change.kind === 'put' && change.revision > (before?.revision ?? 0))
      this.note(change.key, change.value, change.revision);
    else if (change.kind === 'gone') this.known.delete(change.key);
    if (change.kind === 'put') this.changed(before?.set, change.value);
    return before?.set;
  }

  /** The sites that were chosen for this dataset; undefined: none were yet. */
  of({
    project,
    name,
    incarnation,
  }: Pick<Dataset, 'project' | 'name' | 'incarnation'>): ReadonlySet<string> | undefined {
    const known = this.known.get(workloadKey(project, name));
    return known?.set.incarnation === incarnation ? known.sites : undefined;
  }

  /** The choice that stands. */
  get({
    project,
    name,
    incarnation,
  }: Pick<Dataset, 'project' | 'name' | 'incarnation'>): CopySet | undefined {
    const set = this.known.get(workloadKey(project, name))?.set;
    return set?.incarnation === incarnation ? set : undefined;
  }

  /** Writes a choice over what is known. Throws `Conflict` when another was written meanwhile. */
  async write(set: CopySet): Promise<void> {
    const key = workloadKey(set.project, set.name);
    await this.bucket.put(key, set, this.known.get(key)?.revision ?? 0);
  }

  private note(key: string, set: CopySet, revision: number): void {
    this.known.set(key, { set, revision, sites: new Set(set.copies.map((copy) => copy.site)) });
  }
}
