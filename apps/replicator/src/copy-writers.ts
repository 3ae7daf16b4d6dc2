import { Injectable } from '@nestjs/common';
import { AuditCopies } from './handlers/audit-copies.handler.js';
import { ChooseCopies } from './handlers/choose-copies.handler.js';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { KeepKeys } from './handlers/keep-keys.handler.js';
import { CopyUsersStore } from './stores/copy-users.store.js';

/** What chooses where copies are, gives them, and writes that down: each tells the others what it hears. */
@Injectable()
export class CopyWriters {
  constructor(
    private readonly choose: ChooseCopies,
    private readonly give: GiveCopies,
    private readonly audit: AuditCopies,
    private readonly keys: KeepKeys,
    private readonly users: CopyUsersStore,
  ) {}

  async start(): Promise<void> {
    this.audit.start();
    this.give.onTold((site, { copies, gone }) =>
      this.audit.told(site, { has: copies.map(({ copy }) => copy), gone }),
    );
    this.keys.start((site) => this.give.ask(site));
    this.give.onSealed((dataset, site, store) => this.keys.newsOf(dataset, site, store));
    this.give.onHeld(async (site, request) => {
      // Where there are more, the word that one of them has heard may be lost on its way to another.
      if (this.users.nodesAt(site.name) === 1) this.give.answered(site.name);
      await this.keys.heard(site, request);
      this.audit.heard(site, request);
      await this.choose.heard(site, request);
    });
    this.choose.start((site) => this.give.ask(site));
    await this.give.start();
  }

  async stop(): Promise<void> {
    await this.choose.stop();
    this.give.stop();
    this.keys.stop();
    await this.audit.stop();
  }
}
