import { Injectable } from '@nestjs/common';
import { Deliver } from './handlers/deliver.handler.js';
import { ForgetAcknowledged } from './handlers/forget-acknowledged.handler.js';
import { TendSites } from './handlers/tend-sites.handler.js';

/** What writes into `DL`, started and stopped together. */
@Injectable()
export class Writers {
  constructor(
    private readonly deliver: Deliver,
    private readonly forgetAcknowledged: ForgetAcknowledged,
    private readonly tendSites: TendSites,
  ) {}

  async start(): Promise<void> {
    this.deliver.start();
    this.tendSites.start();
    await this.forgetAcknowledged.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.forgetAcknowledged.stop(), this.tendSites.stop(), this.deliver.stop()]);
  }
}
