import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import {
  workloadKey,
  type ChosenCopy,
  type CopySet,
  type Dataset,
  type NeededDataset,
  type Workload,
} from '@skerry/contracts';
import { isChosen } from '@skerry/domain';

/** What a trial takes for known: datasets by key, and where copies of them would be. */
export interface AssumedDatasets {
  readonly datasets: ReadonlyMap<string, Dataset>;
  readonly copies: ReadonlyMap<string, readonly ChosenCopy[]>;
}

/** Datasets as policy keeps them, followed by every instance: what workloads that use them may be placed by. */
@Injectable()
export class DatasetsStore {
  private readonly known = new Map<string, Dataset>();
  private readonly sets = new Map<string, CopySet>();
  private assumed: AssumedDatasets | undefined;

  /** Has this take the place of what is known, for a trial that ends within the same turn; undefined: what is known counts again. */
  assume(assumed: AssumedDatasets | undefined): void {
    this.assumed = assumed;
  }

  apply(change: BucketChange<Dataset>): void {
    if (change.kind === 'put') this.known.set(change.key, change.value);
    else if (change.kind === 'gone') this.known.delete(change.key);
  }

  /** Where copies are, of a dataset whose copies are chosen. Returns whether that is somewhere else than before. */
  applyCopies(change: BucketChange<CopySet>): boolean {
    const before = this.sets.get(change.key);
    if (change.kind === 'put') this.sets.set(change.key, change.value);
    else if (change.kind === 'gone') this.sets.delete(change.key);
    return sitesIn(before).join() !== sitesIn(this.sets.get(change.key)).join();
  }

  /** The datasets that a workload says it uses, as a decision sees them; undefined when it uses none. */
  neededBy({ project, spec }: Workload): NeededDataset[] | undefined {
    return spec.data?.map(({ dataset, access }): NeededDataset => {
      const key = workloadKey(project, dataset);
      const known = this.there(key);
      if (known === undefined) return { dataset, access };
      const { conflicts, home, copies, residency } = known.spec;
      const rule = {
        conflicts,
        copies,
        ...(home === undefined ? {} : { home }),
        ...(residency === undefined ? {} : { residency }),
      };
      if (!isChosen(copies)) return { dataset, access, rule };
      return { dataset, access, rule, at: this.chosen(known).map(({ site }) => site) };
    });
  }

  /** Undefined when there is none, or it was removed. */
  there(key: string): Dataset | undefined {
    const dataset = this.assumed?.datasets.get(key) ?? this.known.get(key);
    return dataset?.removed === true ? undefined : dataset;
  }

  /** Where its copies were chosen to be; none while that is not known. */
  chosen({ project, name, incarnation }: Dataset): readonly ChosenCopy[] {
    const key = workloadKey(project, name);
    const assumed = this.assumed?.copies.get(key);
    if (assumed !== undefined) return assumed;
    const set = this.sets.get(key);
    return set?.incarnation === incarnation ? set.copies : [];
  }
}

function sitesIn(set: CopySet | undefined): string[] {
  return set?.copies.map(({ site }) => site) ?? [];
}
