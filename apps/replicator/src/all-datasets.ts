import { Injectable } from '@nestjs/common';
import { ChosenLogs } from './chosen-logs.js';
import { DatasetWriters } from './dataset-writers.js';
import { KeepLogKeys } from './handlers/keep-log-keys.handler.js';
import { HomeWriters } from './home-writers.js';
import { LogWriters } from './log-writers.js';

/** Datasets of every type. */
@Injectable()
export class AllDatasets {
  constructor(
    private readonly datasets: DatasetWriters,
    private readonly logs: LogWriters,
    private readonly homes: HomeWriters,
    private readonly logKeys: KeepLogKeys,
    private readonly chosenLogs: ChosenLogs,
  ) {}

  /** `holdsLease`: whether this instance may still write. */
  async start(holdsLease: () => boolean): Promise<void> {
    // Before records are taken: who had the lease before may not move a home behind what comes from now on.
    await this.homes.begin();
    this.chosenLogs.begin();
    await this.datasets.start(holdsLease);
    this.logKeys.begin();
    await this.logs.start(holdsLease);
    this.chosenLogs.start();
    this.homes.start(holdsLease);
  }

  async stop(): Promise<void> {
    this.homes.stop();
    await this.logs.stop();
    this.logKeys.stop();
    await this.datasets.stop();
  }
}
