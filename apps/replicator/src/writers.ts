import { Injectable } from '@nestjs/common';
import { DeliverAccess } from './handlers/deliver-access.handler.js';
import { Deliver } from './handlers/deliver.handler.js';
import { HearReports } from './handlers/hear-reports.handler.js';
import { TendSites } from './handlers/tend-sites.handler.js';

/** What writes into `DL`, started and stopped together. */
@Injectable()
export class Writers {
  constructor(
    private readonly deliver: Deliver,
    private readonly deliverAccess: DeliverAccess,
    private readonly hearReports: HearReports,
    private readonly tendSites: TendSites,
  ) {}

  async start(): Promise<void> {
    this.deliver.start();
    this.tendSites.start();
    this.deliverAccess.start();
    await this.hearReports.start();
  }

  async stop(): Promise<void> {
    await Promise.all([
      this.hearReports.stop(),
      this.tendSites.stop(),
      this.deliver.stop(),
      this.deliverAccess.stop(),
    ]);
  }
}
