import { Injectable } from '@nestjs/common';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { KeepHomes } from './handlers/keep-homes.handler.js';
import { HomesStore } from './stores/homes.store.js';

/** What moves homes of datasets, and says so: started and stopped with what keeps datasets in step. */
@Injectable()
export class HomeWriters {
  constructor(
    private readonly homes: KeepHomes,
    private readonly give: GiveCopies,
    private readonly stored: HomesStore,
  ) {}

  /** What a former instance has decided is not written any more. */
  async begin(): Promise<void> {
    await this.stored.writeAgain();
  }

  /** `holdsLease`: whether this instance may still write. */
  start(holdsLease: () => boolean): void {
    const { give } = this;
    give.onHomes(async (site, request) => await this.homes.heard(site, request));
    this.homes.start({
      holdsLease,
      asks: (site) => give.ask(site),
      tells: (dataset) => void give.retell(dataset).catch(() => undefined),
    });
  }

  stop(): void {
    this.homes.stop();
  }
}
