import { Injectable } from '@nestjs/common';
import { CarryChunks } from './handlers/carry-chunks.handler.js';
import { SweepChunks } from './handlers/sweep-chunks.handler.js';

/** What takes chunks in, gives and deletes them. */
@Injectable()
export class ChunkWriters {
  constructor(
    private readonly carry: CarryChunks,
    private readonly sweep: SweepChunks,
  ) {}

  async start(): Promise<void> {
    this.carry.start();
    await this.sweep.start();
  }

  async stop(): Promise<void> {
    this.carry.stop();
    await this.sweep.stop();
  }
}
