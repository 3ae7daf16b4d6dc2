import { Controller } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import { BUCKETS, datasetHomeSchema, type DatasetHome } from '@skerry/contracts';
import { OnChange } from '@skerry/service';
import { HomesStore } from './stores/homes.store.js';

/** What replicator hears of homes that move. */
@Controller()
export class HomesController {
  constructor(private readonly homes: HomesStore) {}

  @OnChange(BUCKETS.homes, datasetHomeSchema)
  home(change: BucketChange<DatasetHome>): void {
    this.homes.apply(change);
  }
}
