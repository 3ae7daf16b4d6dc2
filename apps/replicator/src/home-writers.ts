import { Injectable } from '@nestjs/common';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { KeepHomes } from './handlers/keep-homes.handler.js';

/** What moves homes of datasets, and says so: started and stopped with what keeps datasets in step. */
@Injectable()
export class HomeWriters {
  constructor(
    private readonly homes: KeepHomes,
    private readonly give: GiveCopies,
  ) {}

  start(): void {
    const { give } = this;
    give.onHomes(async (site, request) => await this.homes.heard(site, request));
    this.homes.start(
      (site) => give.ask(site),
      (dataset) => void give.retell(dataset).catch(() => undefined),
    );
  }

  stop(): void {
    this.homes.stop();
  }
}
