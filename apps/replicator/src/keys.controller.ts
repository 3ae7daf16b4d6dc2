import { Controller, Inject } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import { BUCKETS, dataKeySchema, datasetSchema, type DataKey, type Dataset } from '@skerry/contracts';
import { JsonLog, OnChange } from '@skerry/service';
import { KeepKeys } from './handlers/keep-keys.handler.js';
import { WrappedKeysStore } from './stores/wrapped-keys.store.js';

/** What replicator hears of keys of encrypted datasets; what sites say of them comes with `rpc.copies`. */
@Controller()
export class KeysController {
  constructor(
    private readonly keys: WrappedKeysStore,
    private readonly keepKeys: KeepKeys,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  @OnChange(BUCKETS.datasets, datasetSchema)
  dataset(change: BucketChange<Dataset>): void {
    if (change.kind !== 'put') return;
    this.keepKeys
      .drop(change.value)
      .catch((error: unknown) => this.log.warn(`keys of ${change.key} were not deleted`, error));
  }

  @OnChange(BUCKETS.dataKeys, dataKeySchema)
  dataKey(change: BucketChange<DataKey>): void {
    this.keys.apply(change);
  }
}
