import { Controller, Inject } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import {
  BUCKETS,
  copyAuditSchema,
  copySetSchema,
  siteStateSchema,
  type CopyAudit,
  type CopySet,
  type SiteState,
} from '@skerry/contracts';
import { JsonLog, OnChange } from '@skerry/service';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { CopyAuditStore } from './stores/copy-audit.store.js';
import { CopySetsStore } from './stores/copy-sets.store.js';
import { CopyUsersStore } from './stores/copy-users.store.js';

/** What replicator hears of copies that are chosen: where they are by now, and what they are chosen by. */
@Controller()
export class CopiesController {
  constructor(
    private readonly sets: CopySetsStore,
    private readonly users: CopyUsersStore,
    private readonly audit: CopyAuditStore,
    private readonly giveCopies: GiveCopies,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  @OnChange(BUCKETS.copies, copySetSchema)
  copySet(change: BucketChange<CopySet>): void {
    const before = this.sets.apply(change);
    if (change.kind !== 'put') return;
    this.giveCopies
      .chosen(before, change.value)
      .catch((error: unknown) => this.log.warn(`copies of ${change.key} were not told`, error));
  }

  @OnChange(BUCKETS.siteStates, siteStateSchema)
  siteState(change: BucketChange<SiteState>): void {
    this.users.applyState(change);
  }

  @OnChange(BUCKETS.copyAudit, copyAuditSchema)
  copyAudit(change: BucketChange<CopyAudit>): void {
    this.audit.apply(change);
  }
}
