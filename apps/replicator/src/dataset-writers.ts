import { Injectable } from '@nestjs/common';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { TellLag } from './handlers/tell-lag.handler.js';
import { TakeRecords } from './handlers/take-records.handler.js';
import { RecordsStore } from './stores/records.store.js';

/** What keeps datasets in step, started and stopped together: in one instance at a time. */
@Injectable()
export class DatasetWriters {
  constructor(
    private readonly records: RecordsStore,
    private readonly takeRecords: TakeRecords,
    private readonly giveCopies: GiveCopies,
    private readonly tellLag: TellLag,
  ) {}

  async start(): Promise<void> {
    await this.records.begin();
    this.takeRecords.start();
    await this.giveCopies.start();
    this.tellLag.start();
  }

  async stop(): Promise<void> {
    await this.tellLag.stop();
    this.giveCopies.stop();
    await this.takeRecords.stop();
    this.records.end();
  }
}
