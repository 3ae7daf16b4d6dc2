import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  BUCKETS,
  copyAuditSchema,
  type CopyAudit,
  type DatasetProof,
  type WorkloadRef,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { AskDatasets } from './ask-datasets.js';

/** Tells where a dataset's copies are, since when and by which rule each was, and what was refused: as it was written down. */
@Injectable()
export class ProveDataset {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(AskDatasets) private readonly datasets: AskDatasets,
  ) {}

  async of(ref: WorkloadRef): Promise<DatasetProof> {
    const [where, audit] = await Promise.all([this.datasets.where(ref), this.auditOf(ref)]);
    return { where, audit };
  }

  private async auditOf({ project, name }: WorkloadRef): Promise<CopyAudit[]> {
    const bySite = new Map<string, CopyAudit>();
    const bucket = this.bus.bucket(BUCKETS.copyAudit, (value) => copyAuditSchema.parse(value));
    const following = await bucket.follow(
      (change) => {
        if (change.kind === 'put') bySite.set(change.value.site, change.value);
      },
      { keys: [`${project}.${name}.*`] },
    );
    try {
      await following.caughtUp;
    } finally {
      await following.drain();
    }
    return [...bySite.values()].toSorted((a, b) => (a.site < b.site ? -1 : 1));
  }
}
