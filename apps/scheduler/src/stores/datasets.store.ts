import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import {
  workloadKey,
  type CopySet,
  type Dataset,
  type NeededDataset,
  type Workload,
} from '@skerry/contracts';
import { isChosen } from '@skerry/domain';

/** Datasets as policy keeps them, followed by every instance: what workloads that use them may be placed by. */
@Injectable()
export class DatasetsStore {
  private readonly known = new Map<string, Dataset>();
  private readonly sets = new Map<string, CopySet>();

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
      const known = this.known.get(workloadKey(project, dataset));
      if (known === undefined || known.removed) return { dataset, access };
      const { conflicts, home, copies, residency } = known.spec;
      const rule = {
        conflicts,
        copies,
        ...(home === undefined ? {} : { home }),
        ...(residency === undefined ? {} : { residency }),
      };
      if (!isChosen(copies)) return { dataset, access, rule };
      const set = this.sets.get(workloadKey(project, dataset));
      return { dataset, access, rule, at: set?.incarnation === known.incarnation ? sitesIn(set) : [] };
    });
  }
}

function sitesIn(set: CopySet | undefined): string[] {
  return set?.copies.map(({ site }) => site) ?? [];
}
