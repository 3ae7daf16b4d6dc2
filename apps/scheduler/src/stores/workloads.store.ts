import { Injectable } from '@nestjs/common';
import type { BucketChange, Headers } from '@skerry/bus';
import { workloadKey, type Workload } from '@skerry/contracts';

interface KnownWorkload {
  readonly workload: Workload;
  /** Of the write that made this generation: the trace and the request it belongs to. */
  readonly headers: Headers;
}

/** The workloads as policy keeps them, followed by every instance. */
@Injectable()
export class WorkloadsStore {
  private readonly known = new Map<string, KnownWorkload>();

  apply(change: BucketChange<Workload>): void {
    // A removed workload stays as a tombstone; a value that cannot be read leaves what was known.
    if (change.kind === 'put')
      this.known.set(change.key, { workload: change.value, headers: change.headers });
    else if (change.kind === 'gone') this.known.delete(change.key);
  }

  get(key: string): KnownWorkload | undefined {
    return this.known.get(key);
  }

  keys(): IterableIterator<string> {
    return this.known.keys();
  }
}

/** The key of a workload in every bucket. */
export function keyOf({ project, name }: { project: string; name: string }): string {
  return workloadKey(project, name);
}
