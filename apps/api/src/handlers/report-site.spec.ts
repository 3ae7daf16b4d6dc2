import { describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { LIMITS, siteLogSubject, exampleSite, STREAMS, type JournalEntry } from '@skerry/contracts';
import { FleetStore } from '../stores/fleet.store.js';
import { ReportSite } from './report-site.js';

const AT = '2026-05-01T12:00:00.000Z';
const ACCOUNT = `A${'B'.repeat(55)}`;

function fleetOf(names: readonly string[]): FleetStore {
  const fleet = new FleetStore();
  for (const name of names) {
    const value = exampleSite(name, { account: ACCOUNT });
    fleet.takeSite({ kind: 'put', key: `site.${name}`, value, revision: 1, headers: {}, at: 0 });
  }
  return fleet;
}

const entry = (id: number, change: Partial<JournalEntry>): JournalEntry => ({
  kind: 'JournalEntry',
  id: `entry-${String(id).padStart(12, '0')}`,
  site: 's1',
  node: 'n1',
  at: AT,
  class: 'audit',
  what: 'operation',
  requestId: 'request-1',
  by: 'ann',
  text: 'stop shop/web',
  ...change,
});

describe('the report of a site at the hub', () => {
  it('tells what people did there, however many events came after it', async () => {
    const bus = new MemoryBus(new MemoryServer());
    await bus.ensureStream(STREAMS.SITELOG);
    const batch = (entries: JournalEntry[]) => ({ kind: 'JournalBatch', site: 's1', entries });
    await bus.publish(siteLogSubject('s1', 'journal'), batch([entry(0, {})]));
    for (let i = 1; i <= STREAMS.SITELOG.maxMessagesPerSubject + 10; i++) {
      const event = entry(i, { class: 'event', what: 'refused-request', requestId: 'request-2' });
      await bus.publish(siteLogSubject('s1', 'event'), batch([event]));
    }
    const report = await new ReportSite(bus, fleetOf(['s1'])).report('s1');
    expect(report.entries).toBe(STREAMS.SITELOG.maxMessagesPerSubject + 1);
    expect(report.changes.map((c) => c.what)).toEqual(['stop shop/web']);
    await bus.close();
  });

  it('is made for so many sites at once and no more, and once for all who ask for the same', async () => {
    const bus = new MemoryBus(new MemoryServer());
    await bus.ensureStream(STREAMS.SITELOG);
    const names = Array.from({ length: LIMITS.siteReportsAtOnce + 1 }, (_, i) => `s${i}`);
    const reports = new ReportSite(bus, fleetOf(names));
    const first = names.slice(0, -1).map((name) => reports.report(name));
    await expect(reports.report(names.at(-1) ?? '')).rejects.toThrow('limit siteReportsAtOnce');
    expect(await reports.report('s0')).toBe(await first[0]);
    await Promise.all(first);
    expect(await reports.report(names.at(-1) ?? '')).toMatchObject({ site: names.at(-1) });
    await bus.close();
  });
});
