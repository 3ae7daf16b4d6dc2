import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { observedSubject, STREAMS, type Observed } from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { SweepReports } from './handlers/sweep-reports.handler.js';
import { ReportsStore } from './stores/reports.store.js';
import { SendingStore } from './stores/sending.store.js';

const SUBJECT = observedSubject('oslo', 'shop', 'web');

function reportOf(report: number): Observed {
  return {
    kind: 'Observed',
    site: 'oslo',
    project: 'shop',
    name: 'web',
    version: { term: 1, generation: 1, revision: 1 },
    state: 'accepted',
    wanted: 0,
    replicas: [],
    reportedAt: '2026-01-01T00:00:00.000Z',
    report,
  };
}

describe('reports of sites', () => {
  let server: MemoryServer;
  let bus: MemoryBus;
  beforeEach(async () => {
    server = new MemoryServer();
    bus = new MemoryBus(server);
    await bus.ensureStream(STREAMS.OBSERVED);
  });
  afterEach(() => bus.close());

  const put = (store: ReportsStore, report: number) =>
    store.put(SUBJECT, reportOf(report), { headers: {} }, 0);
  const stored = () => {
    const message = server.streams.get(STREAMS.OBSERVED.name)?.newest(SUBJECT);
    const body: unknown = JSON.parse(new TextDecoder().decode(message?.bytes));
    return body;
  };

  test('an older one never hides a newer one, whichever instance took it', async () => {
    const [one, other] = [new ReportsStore(bus), new ReportsStore(bus)];
    await put(one, 5);
    await put(other, 7);
    await put(one, 6);
    expect(stored()).toMatchObject({ report: 7 });
    await put(other, 4);
    expect(stored()).toMatchObject({ report: 7 });
    await put(one, 8);
    expect(stored()).toMatchObject({ report: 8 });
  });

  test('one that is told again is taken as stored', async () => {
    const store = new ReportsStore(bus);
    await put(store, 5);
    await put(new ReportsStore(bus), 5);
    expect(server.streams.get(STREAMS.OBSERVED.name)?.lastSequence).toBe(1);
  });

  test('is stored again after it was cleared away', async () => {
    const store = new ReportsStore(bus);
    await put(store, 5);
    await bus.purge(STREAMS.OBSERVED.name, 'observed.oslo.>');
    await put(store, 6);
    expect(stored()).toMatchObject({ report: 6 });
  });

  test('looking for those that are left is given up while the hub does not answer, and said', async () => {
    const lines: string[] = [];
    const log = new JsonLog('inventory', '1', 'warn', (line) => lines.push(line));
    const sweep = new SweepReports(new ReportsStore(bus), new SendingStore({ cutOffMs: 60_000 }), log);
    await bus.close();
    sweep.start();
    for (const end = Date.now() + 5_000; lines.length === 0 && Date.now() < end;)
      await new Promise((go) => setTimeout(go, 5));
    sweep.onModuleDestroy();
    expect(lines.join()).toContain('reports not looked through');
  });
});
