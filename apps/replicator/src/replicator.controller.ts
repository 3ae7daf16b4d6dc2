import { Controller } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import {
  BUCKETS,
  EPOCH_KEY,
  HUB,
  placementsValueSchema,
  siteSchema,
  workloadSchema,
  type PlacementsValue,
  type Site,
  type Workload,
} from '@skerry/contracts';
import { OnChange, OnPlain, type PlainMessage } from '@skerry/service';
import { AnswerDigest } from './handlers/answer-digest.handler.js';
import { Deliver } from './handlers/deliver.handler.js';
import { TendSites } from './handlers/tend-sites.handler.js';
import { WantedStore } from './stores/wanted.store.js';

/**
 * Every subject that replicator hears. The active instance also follows `DL` (what it has written) and the reports of
 * `OBSERVED` that acknowledge a removal, as long as it is active: see `active.ts`.
 */
@Controller()
export class ReplicatorController {
  constructor(
    private readonly wanted: WantedStore,
    private readonly deliver: Deliver,
    private readonly tendSites: TendSites,
    private readonly answerDigest: AnswerDigest,
  ) {}

  @OnChange(BUCKETS.workloads, workloadSchema)
  workload(change: BucketChange<Workload>): void {
    this.wanted.applyWorkload(change);
    this.deliver.soon(change.key);
  }

  @OnChange(BUCKETS.placements, placementsValueSchema)
  placement(change: BucketChange<PlacementsValue>): void {
    if (change.key === EPOCH_KEY) return;
    this.wanted.applyPlacement(change);
    this.deliver.soon(change.key);
  }

  @OnChange(BUCKETS.siteSpecs, siteSchema)
  site(change: BucketChange<Site>): void {
    for (const key of this.wanted.applySite(change)) this.deliver.soon(key);
    this.tendSites.soon();
  }

  // Heard by all and answered by the active one: only it knows what lies in DL, and all pages must come together.
  @OnPlain(HUB.digest)
  digest(message: PlainMessage): Promise<void> {
    return this.answerDigest.handle(message);
  }
}
