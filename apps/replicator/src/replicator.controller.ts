import { Controller } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import {
  apiTokenSchema,
  BUCKETS,
  EPOCH_KEY,
  HUB,
  placementsValueSchema,
  quotaSchema,
  siteSchema,
  workloadSchema,
  type ApiToken,
  type PlacementsValue,
  type Quota,
  type Site,
  type Workload,
} from '@skerry/contracts';
import { OnChange, OnPlain, type PlainMessage } from '@skerry/service';
import { DeliverAccess } from './handlers/deliver-access.handler.js';
import { AnswerDigest } from './handlers/answer-digest.handler.js';
import { Deliver } from './handlers/deliver.handler.js';
import { TendSites } from './handlers/tend-sites.handler.js';
import { WantedStore } from './stores/wanted.store.js';

/** Keys of the buckets that hold these among others. */
const TOKEN_KEYS = 'token.*';
const QUOTA_KEYS = 'quota.*';

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
    private readonly deliverAccess: DeliverAccess,
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
    this.deliverAccess.soon();
  }

  @OnChange(BUCKETS.identities, apiTokenSchema, { keys: [TOKEN_KEYS] })
  token(change: BucketChange<ApiToken>): void {
    this.deliverAccess.token(change);
  }

  @OnChange(BUCKETS.policies, quotaSchema, { keys: [QUOTA_KEYS] })
  quota(change: BucketChange<Quota>): void {
    this.deliverAccess.quota(change);
  }

  // Heard by all and answered by the active one: only it knows what lies in DL, and all pages must come together.
  @OnPlain(HUB.digest)
  digest(message: PlainMessage): Promise<void> {
    return this.answerDigest.handle(message);
  }
}
