import { Injectable } from '@nestjs/common';
import { CentreLog } from './handlers/centre-log.handler.js';
import { GiveEntries } from './handlers/give-entries.handler.js';
import { TakeEntries } from './handlers/take-entries.handler.js';
import { TrimEntries } from './handlers/trim-entries.handler.js';
import { EntriesStore } from './stores/entries.store.js';

/** What keeps logs, started and stopped together: in one instance at a time. */
@Injectable()
export class LogWriters {
  constructor(
    private readonly entries: EntriesStore,
    private readonly takeEntries: TakeEntries,
    private readonly giveEntries: GiveEntries,
    private readonly trimEntries: TrimEntries,
    private readonly centreLog: CentreLog,
  ) {}

  /** `holdsLease`: whether this instance may still write. */
  async start(holdsLease: () => boolean): Promise<void> {
    await this.entries.begin(holdsLease);
    this.takeEntries.start();
    await this.giveEntries.start();
    this.trimEntries.start();
    this.centreLog.start();
  }

  async stop(): Promise<void> {
    await this.centreLog.stop();
    await this.trimEntries.stop();
    this.giveEntries.stop();
    await this.takeEntries.stop();
    this.entries.end();
  }
}
