import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { observedSchema, SITE, type Observed } from '@skerry/contracts';
import { makeLog } from '../log.js';
import { NO_TRACING } from '../tracing.js';
import { ReportCounter } from './report-counter.js';
import { Reporter } from './reporter.js';

const KEY = 'shop.web';
const told = {
  kind: 'Observed' as const,
  site: 'here',
  project: 'shop',
  name: 'web',
  version: { term: 1, generation: 1, revision: 1 },
  state: 'accepted' as const,
  wanted: 1,
  replicas: [],
};

describe('what a site reports once it knows that it was lost', () => {
  let folder: string;
  let bus: MemoryBus;
  let losses = 0;
  let reporter: Reporter;
  const reported: Observed[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-reporter-'));
    bus = new MemoryBus(new MemoryServer());
    await bus.ensureStream({
      name: 'OUT',
      subjects: [SITE.outbox],
      owner: 'agent',
      maxBytes: 1_000_000,
      discard: 'new',
      duplicateWindowS: 120,
    });
    await bus.follow('OUT', (m) => void reported.push(observedSchema.parse(m.json())));
    losses = 0;
    reported.length = 0;
    reporter = new Reporter({
      report: () => told,
      traceOf: () => undefined,
      losses: () => losses,
      counter: await ReportCounter.open(join(folder, 'reports.json')),
      tracing: NO_TRACING,
      log: makeLog('error'),
    });
  });
  afterEach(async () => {
    reporter.close();
    await bus.close();
    await rm(folder, { recursive: true, force: true });
  });

  const until = async (is: () => boolean) => {
    for (const end = Date.now() + 5_000; !is(); await new Promise((go) => setTimeout(go, 5))) {
      if (Date.now() > end) throw new Error(`not so after 5 s: ${JSON.stringify(reported)}`);
    }
  };

  it('says so with every report, also with one that is on its way at that moment', async () => {
    const send = bus.publish.bind(bus);
    let learnt = false;
    bus.publish = async (...args: Parameters<typeof send>) => {
      // The report is put together already, and not stored yet.
      if (!learnt) {
        learnt = true;
        losses = 1;
        reporter.all();
      }
      return send(...args);
    };
    reporter.use(bus, [KEY]);
    await until(() => reported.some((r) => r.losses === 1));
    expect(reported.map((r) => r.losses ?? 0)).toEqual([0, 1]);
  });

  it('is sent once more when all is, also what was on its way at that moment and came through', async () => {
    const send = bus.publish.bind(bus);
    let anew = false;
    const after: unknown[] = [];
    bus.publish = async (...args: Parameters<typeof send>) => {
      const stored = await send(...args);
      if (!anew) {
        anew = true;
        reporter.use(bus, [KEY]);
        after.push(reporter.idle, reporter.lastSequence);
      }
      return stored;
    };
    reporter.use(bus, [KEY]);
    await until(() => reported.length === 2 && reporter.idle);
    expect(after).toEqual([false, 0]);
    expect(reporter.lastSequence).toBe(2);
  });

  it('is said once more when that is asked for, also while it is on its way', async () => {
    const send = bus.publish.bind(bus);
    let asked = false;
    bus.publish = async (...args: Parameters<typeof send>) => {
      const stored = await send(...args);
      if (!asked) reporter.again(KEY);
      asked = true;
      return stored;
    };
    reporter.use(bus, [KEY]);
    await until(() => reported.length === 2 && reporter.idle);
    reporter.again(KEY);
    await until(() => reported.length === 3);
    expect(new Set(reported.map(({ report }) => report)).size).toBe(3);
  });

  it('says everything again to a server that was away: it may have lost what it took', async () => {
    reporter.use(bus, [KEY]);
    await until(() => reported.length === 1 && reporter.idle);
    bus.cut();
    bus.heal();
    expect(reporter.idle).toBe(false);
    await until(() => reported.length === 2);
  });

  it('is waited for no more once it was closed, whatever changes', async () => {
    reporter.use(bus, []);
    reporter.close();
    reporter.changed(KEY);
    expect(reporter.idle).toBe(true);
    reporter.use(bus, [KEY]);
    await until(() => reported.length === 1);
  });
});
