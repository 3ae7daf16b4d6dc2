import { Injectable } from '@nestjs/common';
import { DatasetWriters } from './dataset-writers.js';
import { KeepLogKeys } from './handlers/keep-log-keys.handler.js';
import { LogWriters } from './log-writers.js';

/** Datasets of every type. */
@Injectable()
export class AllDatasets {
  constructor(
    private readonly datasets: DatasetWriters,
    private readonly logs: LogWriters,
    private readonly logKeys: KeepLogKeys,
  ) {}

  async start(): Promise<void> {
    await this.datasets.start();
    this.logKeys.begin();
    await this.logs.start();
  }

  async stop(): Promise<void> {
    await this.logs.stop();
    this.logKeys.stop();
    await this.datasets.stop();
  }
}
