import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import { datasetSchema, Refusal, workloadKey, type Dataset, type WorkloadRef } from '@skerry/contracts';

/** Datasets as policy keeps them, followed. */
@Injectable()
export class DatasetsStore {
  private readonly datasets = new Map<string, Dataset>();

  take(change: BucketChange<unknown>): void {
    const parsed = change.kind === 'put' ? datasetSchema.safeParse(change.value) : undefined;
    if (parsed?.success === true) this.datasets.set(change.key, parsed.data);
    else this.datasets.delete(change.key);
  }

  /** Those that are not removed, by project and name. */
  all(): Dataset[] {
    const there = [...this.datasets].filter(([, { removed }]) => !removed);
    return there.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, dataset]) => dataset);
  }

  /** Throws `Refusal` `not-found`. */
  one({ project, name }: WorkloadRef): Dataset {
    const dataset = this.datasets.get(workloadKey(project, name));
    if (dataset !== undefined && !dataset.removed) return dataset;
    throw new Refusal('not-found', `there is no dataset ${project}/${name}`, {
      hint: 'list them with "skerry data ls"',
    });
  }
}
