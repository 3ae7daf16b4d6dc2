import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  journalBatchSchema,
  LIMITS,
  parseAcross,
  Refusal,
  siteLogSubject,
  STREAMS,
  type JournalEntry,
  type SiteReport,
} from '@skerry/contracts';
import { siteReport } from '@skerry/domain';
import { BUS } from '@skerry/service';
import { FleetStore } from '../stores/fleet.store.js';

/**
 * Tells what happened at a site, from the entries of its journal that came up. That is up to 16 MiB to read, so that those who
 * ask for the same site at once get the same report, and beyond `siteReportsAtOnce` nobody gets one.
 */
@Injectable()
export class ReportSite {
  private readonly making = new Map<string, Promise<SiteReport>>();

  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(FleetStore) private readonly fleet: FleetStore,
  ) {}

  async report(name: string): Promise<SiteReport> {
    if (this.fleet.site(name) === undefined)
      throw new Refusal('not-found', `no site ${name}`, { hint: 'see `skerry site ls`' });
    const made = this.making.get(name);
    if (made !== undefined) return await made;
    if (this.making.size >= LIMITS.siteReportsAtOnce) {
      throw new Refusal(
        'throttled',
        `${LIMITS.siteReportsAtOnce} reports are being made (limit siteReportsAtOnce)`,
        {
          hint: 'ask again in a moment',
        },
      );
    }
    const making = this.make(name).finally(() => this.making.delete(name));
    this.making.set(name, making);
    return await making;
  }

  private async make(name: string): Promise<SiteReport> {
    const kinds = await Promise.all([this.entries(name, 'journal'), this.entries(name, 'event')]);
    return siteReport(name, kinds.flat(), { from: 'hub', at: new Date().toISOString() });
  }

  /** The newest, oldest first. */
  private async entries(name: string, kind: 'journal' | 'event'): Promise<JournalEntry[]> {
    const state = await this.bus.streamState(STREAMS.SITELOG.name);
    if (state === undefined || state.messages === 0) return [];
    let entries: JournalEntry[] = [];
    const following = await this.bus.follow(
      STREAMS.SITELOG.name,
      (message) => {
        const parsed = parseAcross(journalBatchSchema, message.json());
        if (!parsed.ok) return;
        entries.push(...parsed.value.entries);
        if (entries.length > 2 * LIMITS.entriesPerReport) entries = entries.slice(-LIMITS.entriesPerReport);
      },
      { from: state.firstSequence, filters: [siteLogSubject(name, kind)] },
    );
    try {
      await following.caughtUp;
    } finally {
      await following.drain();
    }
    return entries.slice(-LIMITS.entriesPerReport);
  }
}
