import { Controller, Inject } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import { BUCKETS, datasetSchema, HUB, siteSchema, type Dataset, type Site } from '@skerry/contracts';
import { JsonLog, OnChange, OnPlain, type PlainMessage } from '@skerry/service';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { GiveEntries } from './handlers/give-entries.handler.js';
import { TakeRecords } from './handlers/take-records.handler.js';
import { CopiesStore } from './stores/copies.store.js';

/** Every subject that replicator hears of datasets. Heard by all instances and answered by the active one. */
@Controller()
export class DatasetsController {
  constructor(
    private readonly copies: CopiesStore,
    private readonly takeRecords: TakeRecords,
    private readonly giveCopies: GiveCopies,
    private readonly giveEntries: GiveEntries,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  @OnChange(BUCKETS.datasets, datasetSchema)
  dataset(change: BucketChange<Dataset>): void {
    const before = this.copies.apply(change);
    if (change.kind !== 'put') return;
    // Not awaited: what is missed is told when the site asks next.
    this.giveCopies
      .changed(before, change.value)
      .catch((error: unknown) => this.log.warn(`copies of ${change.key} were not told`, error));
    this.giveEntries
      .changed(before, change.value)
      .catch((error: unknown) => this.log.warn(`log ${change.key} was not told`, error));
  }

  @OnChange(BUCKETS.siteSpecs, siteSchema)
  site(change: BucketChange<Site>): void {
    if (change.kind === 'put') this.giveCopies.siteChanged(change.value);
  }

  @OnPlain(HUB.copies)
  greet(message: PlainMessage): Promise<void> {
    return this.giveCopies.greet(message);
  }

  @OnPlain(HUB.records)
  records(message: PlainMessage): Promise<void> {
    return this.takeRecords.handle(message);
  }

  @OnPlain(HUB.pull)
  pull(message: PlainMessage): Promise<void> {
    return this.giveCopies.pull(message);
  }
}
