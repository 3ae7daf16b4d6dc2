import { Injectable } from '@nestjs/common';
import { ChunkWriters } from './chunk-writers.js';
import { CopyWriters } from './copy-writers.js';
import { TellLag } from './handlers/tell-lag.handler.js';
import { TakeRecords } from './handlers/take-records.handler.js';
import { RecordsStore } from './stores/records.store.js';

/** What keeps datasets in step, started and stopped together: in one instance at a time. */
@Injectable()
export class DatasetWriters {
  constructor(
    private readonly records: RecordsStore,
    private readonly takeRecords: TakeRecords,
    private readonly copyWriters: CopyWriters,
    private readonly tellLag: TellLag,
    private readonly chunkWriters: ChunkWriters,
  ) {}

  /** `holdsLease`: whether this instance may still write. */
  async start(holdsLease: () => boolean): Promise<void> {
    await this.records.begin(holdsLease);
    this.records.marks.start(() => this.records.mayWrite);
    this.takeRecords.start();
    await this.copyWriters.start();
    this.tellLag.start();
    await this.chunkWriters.start();
  }

  async stop(): Promise<void> {
    await this.chunkWriters.stop();
    await this.tellLag.stop();
    await this.copyWriters.stop();
    await this.takeRecords.stop();
    await this.records.marks.stop();
    this.records.end();
  }
}
