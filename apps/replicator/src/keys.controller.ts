import { Controller } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import { BUCKETS, dataKeySchema, type DataKey } from '@skerry/contracts';
import { OnChange } from '@skerry/service';
import { WrappedKeysStore } from './stores/wrapped-keys.store.js';

/** What replicator hears of keys of encrypted datasets; what sites say of them comes with `rpc.copies`. */
@Controller()
export class KeysController {
  constructor(private readonly keys: WrappedKeysStore) {}

  @OnChange(BUCKETS.dataKeys, dataKeySchema)
  dataKey(change: BucketChange<DataKey>): void {
    this.keys.apply(change);
  }
}
