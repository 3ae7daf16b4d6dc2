import { Controller } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import { BUCKETS, HUB, siteSchema, type Site } from '@skerry/contracts';
import { OnChange, OnPlain, type PlainMessage } from '@skerry/service';
import { GiveEntries } from './handlers/give-entries.handler.js';
import { TakeEntries } from './handlers/take-entries.handler.js';

/**
 * Every subject that replicator hears of logs, but `RPC.centreLog`: that is answered by the active instance alone. What changes of
 * datasets it hears by `DatasetsController`, which keeps them.
 */
@Controller()
export class LogsController {
  constructor(
    private readonly takeEntries: TakeEntries,
    private readonly giveEntries: GiveEntries,
  ) {}

  @OnChange(BUCKETS.siteSpecs, siteSchema)
  site(change: BucketChange<Site>): void {
    if (change.kind === 'put') this.giveEntries.siteChanged(change.value);
  }

  @OnPlain(HUB.logs)
  greet(message: PlainMessage): Promise<void> {
    return this.giveEntries.greet(message);
  }

  @OnPlain(HUB.entries)
  entries(message: PlainMessage): Promise<void> {
    return this.takeEntries.handle(message);
  }

  @OnPlain(HUB.entryPull)
  pull(message: PlainMessage): Promise<void> {
    return this.giveEntries.pull(message);
  }
}
