import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copySchema, type Copy as CopyRule, type Holder } from '@skerry/contracts';
import { nextWriteEndsHalfway } from '../files/disk-under-test.suite.js';
import { Copy } from './copy.js';

const STORE = '0123456789abcdef';

/** A copy of a dataset whose home goes with `keeper`. */
const rule = (holder: Partial<Holder>, generation = 1): CopyRule =>
  copySchema.parse({
    project: 'shop',
    name: 'ledger',
    incarnation: 1,
    generation,
    conflicts: 'single-writer',
    holder: { with: 'keeper', epoch: 0, losses: 0, ...holder },
    limits: { keys: 100, bytes: 100_000, valueBytes: 1_000 },
  });
const PEN = { site: 'eu', epoch: 2, pen: true } as const;

describe('a copy of a dataset whose home moves', () => {
  let dir: string;
  let path: string;
  let copy: Copy;
  let leased = true;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-home-'));
    path = join(dir, 'shop.ledger.copy');
    leased = true;
    copy = await open(rule({}));
  });
  afterEach(async () => {
    await copy.close();
    await rm(dir, { recursive: true });
  });

  async function open(given?: CopyRule): Promise<Copy> {
    const options = { path, site: 'eu', store: STORE, covers: () => leased, onChange: () => undefined };
    const opened = await Copy.open(options, given);
    if (opened === undefined) throw new Error('nothing there');
    return opened;
  }
  async function reopen(): Promise<void> {
    await copy.close();
    copy = await open();
  }
  const put = async (key: string, value: string) => await copy.write(key, { verb: 'put', value });

  it('writes when its site is home, it has the pen and a lease covers it; else it says why not', async () => {
    await expect(put('k', 'v')).rejects.toThrow(/keeper is placed nowhere yet/);
    await copy.change(rule({ site: 'us', epoch: 1 }));
    await expect(put('k', 'v')).rejects.toThrow(
      /only site us writes shop\/ledger.*since epoch 1; this is eu/,
    );
    await copy.change(rule({ site: 'eu', epoch: 2 }));
    await expect(put('k', 'v')).rejects.toThrow(/is catching up/);
    await copy.change(rule(PEN));
    await put('k', 'v');
    expect(copy.unsentRecords().records).toMatchObject([{ key: 'k', state: { epoch: 2, value: 'v' } }]);
    leased = false;
    await expect(put('k', 'w')).rejects.toThrow(/has not heard the hub for longer than its lease/);
    leased = true;
    await copy.change(rule({ site: 'eu', epoch: 2, closing: true }));
    await expect(put('k', 'w')).rejects.toThrow(/its home leaves eu with keeper/);
  });

  it('says that it writes no more only when that is written down, and never writes again in that epoch', async () => {
    await copy.change(rule(PEN));
    expect(copy.home.ended).toBe(1);
    await copy.change(rule({ site: 'eu', epoch: 2, closing: true }));
    expect(copy.home.ended).toBe(2);
    await reopen();
    expect(copy.home.ended).toBe(2);
    await copy.change(rule(PEN));
    await expect(put('k', 'v')).rejects.toThrow(/its home leaves eu/);
  });

  it('what was begun before it closes is written before it says so', async () => {
    await copy.change(rule(PEN));
    const writes = Promise.allSettled(Array.from({ length: 20 }, async (_, i) => await put(`k${i}`, 'v')));
    await new Promise((resolve) => setImmediate(resolve));
    await copy.change(rule({ site: 'eu', epoch: 2, closing: true }));
    const { unsent } = copy;
    const done = (await writes).filter(({ status }) => status === 'fulfilled').length;
    expect(done).toBeGreaterThan(0);
    expect(unsent).toBe(done);
  });

  it('sets aside what it wrote while cut off and another was home since, and shows what the hub has instead', async () => {
    await copy.change(rule(PEN));
    for (const key of ['told', 'late', 'new']) await put(key, 'mine');
    const [told] = copy.unsentRecords().records;
    await copy.change(rule({ site: 'us', epoch: 3 }));
    expect(copy.show('late')).toMatchObject({ value: 'mine' });
    // The hub has the first; its answer was lost.
    await copy.setAside(told?.write ?? 0);
    expect(copy.unsent).toBe(0);
    expect(copy.cursor).toBe(0);
    expect(copy.home.list().map(([key, { value }]) => [key, value])).toEqual([
      ['late', 'mine'],
      ['new', 'mine'],
    ]);
    expect(copy.problem).toMatch(/2 keys were written here while cut off/);
    const state = {
      rule: 'single-writer' as const,
      epoch: 1,
      at: [5, 0] as [number, number],
      value: 'theirs',
    };
    const by = 'us.00000000000000aa';
    await copy.take([{ origin: by, key: 'late', write: 1, state: { ...state, by } }], { after: 0, upTo: 9 });
    copy.isWhole();
    const shown = (key: string) => copy.show(key)?.value;
    expect(['told', 'late', 'new'].map(shown)).toEqual(['mine', 'theirs', undefined]);
    await reopen();
    expect(copy.home.list()).toHaveLength(2);
    copy.isWhole();
    expect(['told', 'late', 'new'].map(shown)).toEqual(['mine', 'theirs', undefined]);
    expect(copy.unsent).toBe(0);
  });

  it('sends what it wrote as home once more, though what it had written before the hub lost its newest is set aside', async () => {
    await copy.change(rule(PEN));
    for (const key of ['a', 'b']) await put(key, 'before');
    await copy.sent(2);
    await copy.change(rule({ ...PEN, epoch: 3 }));
    for (const key of ['b', 'c']) await put(key, 'now');
    // Of both epochs it has lost everything.
    await copy.sendAgain(0);
    await Promise.all([copy.setAside(0), put('d', 'now')]);
    expect(copy.home.list().map(([key]) => key)).toEqual(['a']);
    const leaves = () => copy.unsentRecords().records.map(({ key, write }) => [key, write]);
    const now = [
      ['b', 3],
      ['c', 4],
      ['d', 5],
    ];
    expect(leaves()).toEqual(now);
    await reopen();
    expect(leaves()).toEqual(now);
  });

  it('says that it has ended once that can be written down, though the disk was full when it was told', async () => {
    await copy.change(rule(PEN));
    await copy.take([], { after: 0, upTo: 9 });
    const closing = { ...rule({ site: 'eu', epoch: 2, closing: true }), area: 'eu' };
    await nextWriteEndsHalfway();
    await expect(copy.change(closing)).rejects.toThrow(/ENOSPC/);
    expect([copy.home.ended, copy.cursor]).toEqual([1, 9]);
    await expect(put('k', 'v')).rejects.toThrow(/its home leaves eu/);
    await copy.change(closing);
    expect([copy.home.ended, copy.cursor]).toEqual([2, 0]);
    await reopen();
    expect([copy.home.ended, copy.cursor]).toEqual([2, 0]);
  });

  describe('that hears what the next home wrote before it hears of the next home', () => {
    const theirs = async (key: string) => {
      const by = 'us.00000000000000aa';
      const state = { rule: 'single-writer' as const, epoch: 3, at: [5, 0] as [number, number], by };
      const record = { origin: by, key, write: 1, state: { ...state, value: 'theirs' } };
      await copy.take([record], { after: 0, upTo: 9 });
    };
    const asides = () => copy.home.list().map(([key, { value }]) => [key, value]);
    beforeEach(async () => {
      await copy.change(rule(PEN));
      for (const key of ['told', 'late']) await put(key, 'mine');
      for (const key of ['told', 'late']) await theirs(key);
    });

    it('sets aside what it wrote and the hub has not got, also when its line of sending is empty by then', async () => {
      expect(copy.show('late')).toMatchObject({ value: 'theirs' });
      expect(copy.unsentRecords()).toEqual({ records: [], upTo: 2 });
      await copy.sent(2);
      // Of before the next home began: what was on its way may have come since.
      await copy.setAside(0);
      await copy.change(rule({ site: 'us', epoch: 3 }));
      await copy.setAside(1);
      expect(asides()).toEqual([['late', 'mine']]);
      await reopen();
      expect(asides()).toEqual([['late', 'mine']]);
      expect(copy.show('late')).toMatchObject({ value: 'theirs' });
    });

    it('keeps it, whenever the agent stops', async () => {
      await reopen();
      expect(asides()).toEqual([
        ['late', 'mine'],
        ['told', 'mine'],
      ]);
    });

    it('sets nothing aside that the hub had', async () => {
      await put('mine', 'x');
      await copy.change(rule({ site: 'us', epoch: 3 }));
      await copy.setAside(3);
      expect([asides(), copy.problem]).toEqual([[], undefined]);
      await reopen();
      expect(asides()).toEqual([]);
    });
  });
});
