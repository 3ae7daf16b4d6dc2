import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { journalBatchSchema, LIMITS, SITE, type IntakeAnswer, type JournalEntry } from '@skerry/contracts';
import { eventually, QUIET } from '../site-under-test.suite.js';
import { Journal, type Entry } from './journal.js';
import { JournalUplink } from './journal-uplink.js';
import { RefusedRequests } from './refused-requests.js';

const SILENT = { ...QUIET, error: () => undefined };
const budget = { journalBytes: 1_000_000, eventBytes: 1_000_000 };

describe('the journal on its way to the hub', () => {
  let bus: MemoryBus;
  let journal: Journal;
  let uplink: JournalUplink;
  let answer: (entries: JournalEntry[]) => IntakeAnswer;
  let taken: JournalEntry[][];

  beforeEach(async () => {
    bus = new MemoryBus(new MemoryServer());
    journal = new Journal({ site: 's1', node: 'n1', budget, log: QUIET });
    await journal.use(bus);
    taken = [];
    answer = () => ({ ok: true });
    bus.respond(SITE.ping, () => ({ at: new Date().toISOString() }));
    bus.respond(SITE.journalUplink, (m) => {
      expect(m.data.length).toBeLessThanOrEqual(LIMITS.journalBatchBytes);
      const { entries } = journalBatchSchema.parse(m.json());
      const said = answer(entries);
      if (said.ok) taken.push(entries);
      return said;
    });
    const { journalBytes } = budget;
    uplink = new JournalUplink(bus, { journalBytes, refusedRetryMs: 50, log: SILENT });
  });
  afterEach(async () => {
    await uplink.close();
    journal.close();
    await bus.close();
  });

  it('goes in batches of bounded bytes, in whatever language, events apart from the rest', async () => {
    const text = '語'.repeat(LIMITS.journalTextChars);
    for (let n = 0; n < 60; n++) {
      await journal.audit({ what: 'operation', by: 'ann', requestId: `request-${n}`, text });
      journal.event({ what: 'replicas', project: 'shop', name: 'web', text });
    }
    await uplink.start();
    await eventually('all of it is there', () => taken.flat().length === 120);
    const classes = taken.map((batch) => [...new Set(batch.map((e) => e.class))]);
    expect(classes.every((of) => of.length === 1)).toBe(true);
    const audit = taken.flat().filter((e) => e.class === 'audit');
    expect(audit.map((e) => e.requestId)).toEqual(Array.from({ length: 60 }, (_, n) => `request-${n}`));
  });

  it('keeps what people did when the hub refuses it, says so, and drops events only', async () => {
    const wrong = new Set(['request-3']);
    const asked: JournalEntry[] = [];
    answer = (entries) => {
      asked.push(...entries);
      return entries.some((e) => e.class === 'event' || wrong.has(e.requestId ?? ''))
        ? { ok: false, code: 'refused', retryAfterMs: 0, reason: 'not to be read' }
        : { ok: true };
    };
    for (let n = 0; n < 8; n++)
      await journal.audit({ what: 'operation', by: 'ann', requestId: `request-${n}`, text: 'stop' });
    journal.event({ what: 'replicas', project: 'shop', name: 'web' });
    await uplink.start();
    await eventually('all others are there', () => taken.flat().length === 7);
    expect(taken.flat().map((e) => e.requestId)).not.toContain('request-3');
    await eventually(
      'a person is told',
      () => uplink.trouble?.includes('1 entries') && uplink.trouble.includes('not to be read'),
    );
    await eventually('the event was refused', () => asked.some((e) => e.class === 'event'));
    answer = () => ({ ok: true });
    await eventually('the hub takes it after all', () => taken.flat().length === 8);
    expect(taken.flat().filter((e) => e.class === 'event')).toEqual([]);
    await eventually('all is well', () => uplink.trouble === undefined);
  });
});

describe('what cannot be written down', () => {
  it('waits for the server of the site; what is forgotten of it is counted and told, and nothing else is lost', async () => {
    const bus = new MemoryBus(new MemoryServer());
    const journal = new Journal({ site: 's1', node: 'n1', budget, log: SILENT });
    for (let n = 0; n < 1_005; n++) journal.state({ what: 'cut-off', text: `${n}` });
    expect(journal.trouble).toContain('5 entries');
    await journal.use(bus);
    // While the first is on its way, others come: none of them takes its place.
    for (let n = 1_005; n < 1_010; n++) journal.state({ what: 'cut-off', text: `${n}` });
    await eventually('the last is there', async () => (await journal.read()).at(-1)?.text === '1009');
    const texts = (await journal.read()).map((e) => Number(e.text));
    const lost = (await journal.usage()).lost ?? 0;
    expect(lost).toBeGreaterThanOrEqual(5);
    expect(new Set(texts).size).toBe(1_010 - lost);
    expect(texts).toEqual(texts.toSorted((a, b) => a - b));
    journal.close();
    await bus.close();
  });
});

describe('requests that are refused', () => {
  it('are told of once a minute, with their number', async () => {
    const told: Entry[] = [];
    const refused = new RefusedRequests({ event: (entry) => void told.push(entry) }, 50);
    for (let n = 0; n < 100; n++) refused.count({ by: `token ${n}` });
    expect(told.map((e) => e.counts)).toEqual([{ refused: 1 }]);
    await eventually('the rest of them', () => told.length === 2);
    expect(told[1]).toMatchObject({ what: 'refused-request', by: 'token 99', counts: { refused: 99 } });
    refused.count({ by: 'token x' });
    refused.close();
    expect(told.map((e) => e.counts?.['refused']).reduce((a = 0, b = 0) => a + b)).toBe(101);
  });
});
