import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copySchema, datasetLimitsSchema, logRuleSchema, type DatasetUse } from '@skerry/contracts';
import { makeLog } from '../log.js';
import { Copies } from './copies.js';
import { EntryLogs } from './logs/entry-logs.js';
import { ReadyCopies } from './ready-copies.js';

const KEY = 'p.maps';
const reads: DatasetUse = { dataset: 'maps', access: 'read' };
const RULE = copySchema.parse({
  project: 'p',
  name: 'maps',
  incarnation: 1,
  generation: 1,
  conflicts: 'newest',
  limits: datasetLimitsSchema.parse({}),
});

const logRule = (flow: 'collect' | 'broadcast' | 'mesh') =>
  logRuleSchema.parse({
    project: 'p',
    name: 'maps',
    incarnation: 1,
    generation: 1,
    flow,
    bytes: 10_000_000,
    valueBytes: 1_000,
  });

describe('a replica that uses a dataset', () => {
  let dir: string;
  let copies: Copies;
  let logs: EntryLogs;
  let silentMs = 0;
  const opened: ReadyCopies[] = [];
  const open = async () => {
    const of = { copies, logs, silentMs: () => silentMs, log: makeLog() };
    const ready = await ReadyCopies.open(join(dir, 'whole.json'), of);
    opened.push(ready);
    return ready;
  };
  /** What is said of it at once: that it begins, or what it waits for. */
  const said = async (ready: ReadyCopies, use = reads): Promise<string | undefined> => {
    let waits: string | undefined;
    let looks = 0;
    const begins = await ready.untilReady(
      { project: 'p', data: [use] },
      {
        wanted: () => (looks += 1) === 1,
        waits: (why) => (waits = why),
      },
    );
    return begins ? 'begins' : waits;
  };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ready-'));
    const here = { site: 'one', node: 'n1', log: makeLog() };
    copies = await Copies.open(join(dir, 'datasets'), here);
    logs = await EntryLogs.open(join(dir, 'logs'), here);
    silentMs = 0;
  });
  afterEach(async () => {
    for (const ready of opened.splice(0)) await ready.close();
    await copies.close();
    await logs.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('begins once the copy here has all that the hub said there is', async () => {
    const ready = await open();
    expect(await said(ready)).toBe('waits for a copy of p/maps here');
    await copies.want(RULE);
    expect(await said(ready)).toBe('waits for the hub to say where p/maps is');
    let behind = 3;
    ready.measuredBy('copies', () => behind);
    expect(await said(ready)).toBe('waits until the copy of p/maps here is caught up');
    behind = 0;
    expect(await said(ready)).toBe('begins');
  });

  it('begins while the site is cut off when the copy was whole once, also after a restart, and not when it never was', async () => {
    await copies.want(RULE);
    const ready = await open();
    silentMs = 60_000;
    expect(await said(ready)).toBe('waits for the hub: the copy of p/maps here was never whole');
    ready.isWhole(KEY, RULE.incarnation);
    await ready.close();
    const next = await open();
    expect(await said(next)).toBe('begins');
    // Given up and given again, it begins with nothing.
    next.isGone(KEY);
    expect(await said(next)).toBe('waits for the hub: the copy of p/maps here was never whole');
    next.isWhole(KEY, RULE.incarnation);
    expect(await said(next)).toBe('begins');
    // Removed and made again, it is another dataset.
    await copies.want({ ...RULE, incarnation: 2, generation: 2 });
    expect(await said(next)).toBe('waits for the hub: the copy of p/maps here was never whole');
  });

  it.each([
    ['mesh', 'write'],
    ['collect', 'write'],
    ['collect', 'read'],
  ] as const)('begins once a log of flow %s is here that it is to %s', async (flow, access) => {
    const ready = await open();
    const use: DatasetUse = { dataset: 'maps', access };
    expect(await said(ready, use)).toBe('waits for a copy of p/maps here');
    await logs.want(logRule(flow));
    expect(await said(ready, use)).toBe('begins');
  });

  it.each(['mesh', 'broadcast'] as const)('reads a log of flow %s once all of it is here', async (flow) => {
    const ready = await open();
    await logs.want(logRule(flow));
    expect(await said(ready)).toBe('waits for the hub to say where p/maps is');
    let behind = 2;
    ready.measuredBy('logs', () => behind);
    expect(await said(ready)).toBe('waits until the copy of p/maps here is caught up');
    behind = 0;
    expect(await said(ready)).toBe('begins');
    // Known also while the hub is away, once it was so.
    silentMs = 60_000;
    expect(await said(ready)).toBe('waits for the hub: the copy of p/maps here was never whole');
    ready.isWhole(KEY, 1);
    expect(await said(ready)).toBe('begins');
  });

  it('is given up while it waits, and when the agent ends', async () => {
    const ready = await open();
    let wanted = true;
    const given = ready.untilReady(
      { project: 'p', data: [reads] },
      { wanted: () => wanted, waits: () => undefined },
    );
    wanted = false;
    expect(await given).toBe(false);
    const ended = ready.untilReady(
      { project: 'p', data: [reads] },
      { wanted: () => true, waits: () => undefined },
    );
    await ready.close();
    expect(await ended).toBe(false);
  });
});
