import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  logOperationSchema,
  logRuleSchema,
  type LogItem,
  type LogRule,
  type TailOperation,
} from '@skerry/contracts';
import { EntryLog } from './entry-log.js';

const STORE = '0123456789abcdef';
const THERE = 'jp.00000000000000aa';
const KIB = 1_024;

const rule = (more: Partial<LogRule> = {}): LogRule =>
  logRuleSchema.parse({
    project: 'plant',
    name: 'heat',
    incarnation: 1,
    generation: 1,
    flow: 'mesh',
    bytes: 64 * KIB,
    valueBytes: 8 * KIB,
    ...more,
  });
const theirs = (number: number, value = `theirs ${number}`): LogItem => ({
  origin: THERE,
  number,
  at: 1_000,
  value,
});
const asked = (more: object = {}): TailOperation => {
  const operation = logOperationSchema.parse({
    verb: 'tail',
    project: 'plant',
    name: 'heat',
    limit: 1_000,
    ...more,
  });
  if (operation.verb !== 'tail') throw new Error('no tail');
  return operation;
};
const valueOf = (item: LogItem) => ('gap' in item ? `gap ${item.gap.from}-${item.gap.to}` : item.value);

describe('a log on the disk', () => {
  let dir: string;
  let folder: string;
  const opened = new Set<EntryLog>();
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-log-'));
    folder = join(dir, 'plant.heat.log');
  });
  afterEach(async () => {
    for (const log of opened) await log.close();
    opened.clear();
    await rm(dir, { recursive: true });
  });

  const open = async (given?: LogRule): Promise<EntryLog> => {
    const log = await EntryLog.open({ folder, site: 'eu', store: STORE, onMore: () => undefined }, given);
    if (log === undefined) throw new Error('nothing there');
    opened.add(log);
    return log;
  };
  const close = async (log: EntryLog): Promise<void> => {
    opened.delete(log);
    await log.close();
  };
  const reopen = async (log: EntryLog): Promise<EntryLog> => {
    await close(log);
    return await open();
  };
  const read = async (log: EntryLog, more: object = {}) => (await log.tail(asked(more))).items.map(valueOf);
  const files = async () => (await readdir(folder)).toSorted();
  const bytesOnDisk = async () => {
    const sizes = await Promise.all(
      (await files()).map(async (file) => (await stat(join(folder, file))).size),
    );
    return sizes.reduce((a, b) => a + b, 0);
  };

  it('has after a restart what was acknowledged, in its order, what is not sent, and where it was', async () => {
    const log = await open(rule());
    await Promise.all(Array.from({ length: 50 }, async (_, i) => await log.append([`a${i}`, `b${i}`])));
    await log.hubHas(30);
    await log.take([theirs(1), theirs(2)], { after: 0, upTo: 77 });
    await log.readsEpoch(5);
    const again = await reopen(log);
    expect(again.streamEpoch).toBe(5);
    expect(again.state()).toEqual(log.state());
    expect([again.position, again.unsent]).toEqual([77, 70]);
    const expected = Array.from({ length: 50 }, (_, i) => [`a${i}`, `b${i}`]).flat();
    expect(await read(again)).toEqual([...expected, 'theirs 1', 'theirs 2']);
    const { from, upTo, entries } = await again.unsentEntries();
    expect([from, upTo, entries.map(({ value }) => value)]).toEqual([31, 100, expected.slice(30)]);
  });

  it('goes on where a line, or the first line of a file, was not written to its end', async () => {
    const log = await open(rule());
    await log.append(['1', '2']);
    await close(log);
    const [name = ''] = await files();
    await appendFile(join(folder, name), '0badc0de ["o",2,3,[[1,"lost"]');
    await writeFile(join(folder, '0000000000000002-0000000000000002.part'), '0badc0de {"kind":"Entr');
    const again = await open();
    await again.append(['3']);
    expect(await read(await reopen(again))).toEqual(['1', '2', '3']);
  });

  it('stays within its bytes, the oldest goes first, and what the hub never got is missing in the numbers', async () => {
    const log = await open(rule());
    const value = 'x'.repeat(KIB);
    for (let n = 0; n < 20; n += 1)
      await log.append(Array.from({ length: 10 }, (_, i) => `${n * 10 + i} ${value}`));
    expect(await bytesOnDisk()).toBeLessThanOrEqual(64 * KIB);
    const { from, upTo, entries } = await (await reopen(log)).unsentEntries();
    expect([from, upTo]).toEqual([1, 200]);
    expect(entries.map(({ number }) => number)).toEqual(
      Array.from({ length: entries.length }, (_, i) => 201 - entries.length + i),
    );
    expect(entries.length).toBeGreaterThan(30);
  });

  it('takes what others wrote once, in its order, with a gap for what is missing, and nothing out of order', async () => {
    const log = await open(rule());
    expect(await log.take([theirs(1)], { after: 0, upTo: 10 })).toBe('taken');
    expect(await log.take([theirs(3)], { after: 12, upTo: 13 })).toBe('gap');
    expect(await log.take([theirs(1), theirs(4)], { after: 5, upTo: 20 })).toBe('taken');
    expect(await log.take([theirs(5)], { after: 5, upTo: 20 })).toBe('taken');
    const again = await reopen(log);
    expect(await read(again)).toEqual(['theirs 1', 'gap 2-3', 'theirs 4']);
    await again.readAgain();
    expect(await again.take([theirs(4), theirs(5)], { after: 0, upTo: 25 })).toBe('taken');
    expect((await read(again)).slice(3)).toEqual(['theirs 5']);
  });

  it('has no room for others before its own entries are at the hub', async () => {
    const log = await open(rule());
    await log.append(Array.from({ length: 55 }, () => 'x'.repeat(KIB)));
    const many = Array.from({ length: 10 }, (_, n) => theirs(n + 1, 'y'.repeat(KIB)));
    expect(await log.take(many, { after: 0, upTo: 10 })).toBe('full');
    expect((await log.unsentEntries()).entries).toHaveLength(55);
    await log.hubHas(55);
    expect(await log.take(many, { after: 0, upTo: 10 })).toBe('taken');
  });

  it('reads on from a place, by site, and says when something between is not there any more', async () => {
    const log = await open(rule());
    await log.append(['a', 'b']);
    await log.take([theirs(1)], { after: 0, upTo: 1 });
    const first = await log.tail(asked({ limit: 2 }));
    expect(first.items.map(valueOf)).toEqual(['b', 'theirs 1']);
    await log.append(['c', 'd']);
    const next = await log.tail(asked({ since: first.since, limit: 1 }));
    expect([next.items.map(valueOf), next.more]).toEqual([['c'], true]);
    expect(await read(log, { since: next.since })).toEqual(['d']);
    expect(await read(log, { site: 'jp' })).toEqual(['theirs 1']);
    for (let n = 0; n < 20; n += 1) await log.append(Array.from({ length: 5 }, () => 'x'.repeat(KIB)));
    expect(await log.tail(asked({ since: first.since }))).toMatchObject({ lost: true });
    expect(await log.tail(asked({ since: '9.1', limit: 1 }))).toMatchObject({ lost: true });
  });

  it('keeps by its rule what travels, and an open window over a restart', async () => {
    const windows = rule({ edge: { keep: 'windows', everyMs: 3_600_000, of: 'c', by: 'room' } });
    const log = await open(windows);
    const reading = (room: string, c: number) => JSON.stringify({ room, c });
    expect(await log.append([reading('a', 1), reading('b', 5), reading('a', 3)])).toBe(0);
    const again = await reopen(log);
    expect(await again.append([reading('a', 8)])).toBe(0);
    await again.closeWindows(Date.now() + 3_600_001);
    const kept = (await read(await reopen(again))).map((value) => JSON.parse(value));
    expect(kept).toMatchObject([
      { sensor: 'a', count: 3, min: 1, max: 8, mean: 4 },
      { sensor: 'b', count: 1, min: 5, max: 5, mean: 5 },
    ]);
  });

  it('ends its windows when the rule is another, and counts by that from then on', async () => {
    const log = await open(rule({ edge: { keep: 'windows', everyMs: 3_600_000 } }));
    await log.append(['1', '2']);
    await log.change(rule({ generation: 2, edge: { keep: 'one-in', n: 2 } }));
    const again = await reopen(log);
    expect(await again.append(['3', '4', '5'])).toBe(2);
    const [window = '', ...rest] = await read(again);
    expect([JSON.parse(window), rest]).toMatchObject([{ count: 2 }, ['3', '5']]);
  });

  it('goes by the rule that the hub has, also when that is the one before', async () => {
    const [former, newer] = [rule({ edge: { keep: 'one-in', n: 2 } }), rule({ generation: 2 })];
    const log = await open(newer);
    expect(await log.append(['1', '2'])).toBe(2);
    await log.change(former);
    expect(await (await reopen(log)).append(['3', '4'])).toBe(1);
  });

  it('refuses what its rule has no use for and what is too large, all of it', async () => {
    const log = await open(rule({ edge: { keep: 'changes', deadband: 1 } }));
    await expect(log.append(['1', 'warm'])).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('entry 2 of 2'),
    });
    await expect(log.append(['1', 'x'.repeat(9 * KIB)])).rejects.toMatchObject({ code: 'too-large' });
    expect(await log.append(['1', '1.5', '3'])).toBe(2);
    expect(await read(log)).toEqual(['1', '3']);
  });

  it('sends once more what the hub has lost, and gives no number twice that the hub has', async () => {
    const log = await open(rule());
    await log.append(['a', 'b', 'c']);
    await log.hubHas(3);
    await log.hubHas(1);
    expect((await log.unsentEntries()).entries.map(({ number }) => number)).toEqual([2, 3]);
    await log.hubHas(9);
    await log.append(['d']);
    const again = await reopen(log);
    expect((await again.unsentEntries()).entries.map(({ number, value }) => [number, value])).toEqual([
      [10, 'd'],
    ]);
  });

  it('forgets what is older than it is kept, and leaves nothing when it is to be forgotten', async () => {
    const log = await open(rule({ ttlMs: 1_000 }));
    await log.append(['secret']);
    await log.hubHas(1);
    await log.expire(Date.now() + 5_000);
    expect(await read(log)).toEqual([]);
    expect(
      await Promise.all((await files()).map(async (f) => await readFile(join(folder, f), 'utf8'))),
    ).not.toContain(expect.stringContaining('secret'));
    await log.append(['more']);
    opened.delete(log);
    await log.forget();
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
