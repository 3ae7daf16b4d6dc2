import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bus } from '@skerry/bus';
import { Refusal, SITE_STREAMS } from '@skerry/contracts';
import { keepWithin } from '../logs/log-budget.js';
import { eventually, QUIET, SiteUnderTest } from '../site-under-test.suite.js';
import { Journal } from './journal.js';

const KIB = 1024;

describe('what a site keeps of what happened', () => {
  let site: SiteUnderTest;
  let bus: Bus;
  let journal: Journal;
  beforeEach(async () => {
    site = await SiteUnderTest.make();
    await site.startServer();
    bus = await site.connect();
    const budget = { journalBytes: 64 * KIB, eventBytes: 64 * KIB };
    journal = new Journal({ site: 's1', node: 'n1', budget, log: QUIET });
    await journal.use(bus);
  });
  afterEach(async () => {
    journal.close();
    await bus.close();
    await site.close();
  });

  it('drops the oldest events when their room is full, and nothing else', async () => {
    await journal.audit({ what: 'operation', by: 'ann', requestId: 'request-1', text: 'stop shop/web' });
    journal.state({ what: 'cut-off' });
    for (let n = 1; n <= 1_000; n++)
      journal.event({ what: 'replicas', project: 'shop', name: 'web', counts: { n } });
    await eventually('the newest is there', async () =>
      (await journal.read()).some((entry) => entry.counts?.['n'] === 1_000),
    );
    const entries = await journal.read();
    const numbers = entries.flatMap((e) => e.counts?.['n'] ?? []);
    expect(Math.min(...numbers)).toBeGreaterThan(1);
    expect(numbers.length).toBeGreaterThan(50);
    expect(entries.filter((e) => e.class !== 'event').map((e) => e.what)).toEqual(['operation', 'cut-off']);
    expect((await bus.streamState(SITE_STREAMS.EVENTS))?.bytes).toBeLessThanOrEqual(64 * KIB);
  }, 30_000);

  it('refuses what it cannot write down when the journal is full, naming the limit, and forgets nothing of it', async () => {
    let done = 0;
    const error: unknown = await (async () => {
      for (; done < 1_000; done++)
        await journal.audit({
          what: 'operation',
          by: 'ann',
          requestId: `request-${done}`,
          text: 'x'.repeat(300),
        });
    })().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Refusal);
    expect(error).toMatchObject({
      code: 'storage-full',
      details: { issues: [{ allowed: expect.stringContaining('journalBytes') }] },
    });
    expect(journal.trouble).toContain('journalBytes');
    expect((await journal.read()).map((e) => e.requestId)).toEqual(
      Array.from({ length: done }, (_, n) => `request-${n}`),
    );
    // Events have room of their own.
    journal.event({ what: 'refused-request', text: 'later' });
    await eventually('an event', async () => (await journal.read()).some((e) => e.text === 'later'));
  }, 30_000);
});

describe('logs of all replicas of a node', () => {
  it('keep within their room: the oldest that were exchanged go first, then the largest of what is written to', async () => {
    const root = await mkdtemp(join(tmpdir(), 'skerry-logs-'));
    const write = async (replica: string, name: string, { kib, age }: { kib: number; age: number }) => {
      const folder = join(root, replica, 'logs');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, name), Buffer.alloc(kib * KIB, 97));
      const at = new Date(Date.now() - age * 1_000);
      await utimes(join(folder, name), at, at);
    };
    try {
      await write('a', 'stdout.log.2', { kib: 10, age: 300 });
      await write('b', 'stdout.log.1', { kib: 10, age: 200 });
      await write('a', 'stdout.log.1', { kib: 10, age: 100 });
      await write('a', 'stdout.log', { kib: 10, age: 0 });
      await write('b', 'stdout.log', { kib: 4, age: 0 });
      expect(await keepWithin(root, 30 * KIB)).toBe(20 * KIB);
      expect(await readdir(join(root, 'a', 'logs'))).toEqual(['stdout.log', 'stdout.log.1']);
      expect(await readdir(join(root, 'b', 'logs'))).toEqual(['stdout.log']);
      expect(await keepWithin(root, 6 * KIB)).toBe(20 * KIB);
      expect((await stat(join(root, 'a', 'logs', 'stdout.log'))).size).toBe(0);
      expect((await stat(join(root, 'b', 'logs', 'stdout.log'))).size).toBe(4 * KIB);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
