import { Injectable } from '@nestjs/common';
import { ChooseCopies } from './handlers/choose-copies.handler.js';
import { GiveCopies } from './handlers/give-copies.handler.js';

/** What chooses where copies are, and gives them: each tells the other what it hears. */
@Injectable()
export class CopyWriters {
  constructor(
    private readonly choose: ChooseCopies,
    private readonly give: GiveCopies,
  ) {}

  async start(): Promise<void> {
    this.give.onHeld(async (site, request) => await this.choose.heard(site, request));
    this.choose.start((site) => this.give.ask(site));
    await this.give.start();
  }

  async stop(): Promise<void> {
    await this.choose.stop();
    this.give.stop();
  }
}
