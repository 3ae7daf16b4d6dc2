import { Injectable } from '@nestjs/common';
import { DatasetWriters } from './dataset-writers.js';
import { LogWriters } from './log-writers.js';

/** Datasets of every type. */
@Injectable()
export class AllDatasets {
  constructor(
    private readonly datasets: DatasetWriters,
    private readonly logs: LogWriters,
  ) {}

  async start(): Promise<void> {
    await this.datasets.start();
    await this.logs.start();
  }

  async stop(): Promise<void> {
    await this.logs.stop();
    await this.datasets.stop();
  }
}
