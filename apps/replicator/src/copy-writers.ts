import { Injectable } from '@nestjs/common';
import { AuditCopies } from './handlers/audit-copies.handler.js';
import { ChooseCopies } from './handlers/choose-copies.handler.js';
import { GiveCopies } from './handlers/give-copies.handler.js';

/** What chooses where copies are, gives them, and writes that down: each tells the others what it hears. */
@Injectable()
export class CopyWriters {
  constructor(
    private readonly choose: ChooseCopies,
    private readonly give: GiveCopies,
    private readonly audit: AuditCopies,
  ) {}

  async start(): Promise<void> {
    this.audit.start();
    this.give.onTold((site, news) => this.audit.told(site, news));
    this.give.onHeld(async (site, request) => {
      this.audit.heard(site, request);
      await this.choose.heard(site, request);
    });
    this.choose.start((site) => this.give.ask(site));
    await this.give.start();
  }

  async stop(): Promise<void> {
    await this.choose.stop();
    this.give.stop();
    await this.audit.stop();
  }
}
