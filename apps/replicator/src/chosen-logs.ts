import { Injectable } from '@nestjs/common';
import { AuditCopies } from './handlers/audit-copies.handler.js';
import { ChooseCopies } from './handlers/choose-copies.handler.js';
import { GiveEntries } from './handlers/give-entries.handler.js';
import { CopySetsStore } from './stores/copy-sets.store.js';

/** Where logs are: what chooses is told how they stand, sites are told what was chosen, and that is written down. */
@Injectable()
export class ChosenLogs {
  constructor(
    private readonly choose: ChooseCopies,
    private readonly give: GiveEntries,
    private readonly sets: CopySetsStore,
    private readonly audit: AuditCopies,
  ) {}

  /** Before sites are heard. */
  begin(): void {
    this.give.onStands((site, stands) => this.choose.heardLogs(site, stands));
    this.give.onTold((site, { logs, gone }) =>
      this.audit.told(site, { has: logs.map(({ log }) => log), gone }),
    );
    this.sets.onChange((before, after) => this.give.chosen(before, after));
  }

  /** Once sites can be asked. */
  start(): void {
    this.choose.startLogs((site) => this.give.askAgain(site));
  }
}
