import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  copySchema,
  type Copy as CopyRule,
  type DatasetRecord,
  type OwnRecord,
  type RecordState,
} from '@skerry/contracts';
import { writeState } from '@skerry/domain';
import { Copy } from './copy.js';

const STORE = '0123456789abcdef';
const HERE = `eu.${STORE}`;
const THERE = 'jp.00000000000000aa';

const rule = (more: Partial<CopyRule> = {}): CopyRule =>
  copySchema.parse({
    project: 'shop',
    name: 'cart',
    incarnation: 1,
    generation: 1,
    conflicts: 'newest',
    limits: { keys: 100, bytes: 100_000, valueBytes: 1_000 },
    ...more,
  });

/** What another site has written. */
const early = (value: string, write: number): DatasetRecord => ({
  origin: THERE,
  key: 'a',
  write,
  state: { rule: 'newest', at: [Date.now(), write], by: THERE, value },
});

/** What a set holds that had this added elsewhere. */
function adding(element: string): RecordState {
  const author = { origin: THERE, write: 1, at: [Date.now(), 0] as [number, number], epoch: 1 };
  const written = writeState('set', undefined, { verb: 'change', add: [element], remove: [] }, author);
  if (!written.ok) throw new Error(written.problem);
  return written.state;
}

describe('a copy on the disk', () => {
  let dir: string;
  let path: string;
  const opened = new Set<Copy>();
  let changed: (keys: readonly string[]) => void;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-copy-'));
    path = join(dir, 'shop.cart.copy');
    changed = () => undefined;
  });
  afterEach(async () => {
    for (const copy of opened) await copy.close();
    opened.clear();
    await rm(dir, { recursive: true });
  });

  const open = async (given?: CopyRule): Promise<Copy> => {
    const onChange = (keys: readonly string[]) => changed(keys);
    const copy = await Copy.open({ path, site: 'eu', store: STORE, onChange }, given);
    if (copy === undefined) throw new Error('nothing there');
    opened.add(copy);
    return copy;
  };
  const reopen = async (copy: Copy): Promise<Copy> => {
    opened.delete(copy);
    await copy.close();
    return await open();
  };
  const put = async (copy: Copy, key: string, value: string) => await copy.write(key, { verb: 'put', value });

  it('has after a restart what was acknowledged, what is not sent, and where it was', async () => {
    const copy = await open(rule());
    await Promise.all(Array.from({ length: 50 }, async (_, i) => await put(copy, `k${i}`, `v${i}`)));
    await copy.sent(10);
    await copy.take([], { after: 0, upTo: 77 });
    await copy.readsEpoch(5);
    const again = await reopen(copy);
    expect(again.streamEpoch).toBe(5);
    expect(again.state()).toEqual({ ...copy.state(), unsentSince: expect.any(String) });
    expect(again.cursor).toBe(77);
    expect(again.unsent).toBe(40);
    expect(again.unsentRecords().records.map(({ write }) => write)).toEqual(
      Array.from({ length: 40 }, (_, i) => i + 11),
    );
  });

  it('goes by an older rule when the hub has lost the newer one', async () => {
    const copy = await open(rule({ generation: 2, ttlMs: 60_000 }));
    await copy.change(rule({ generation: 1 }));
    await copy.change(rule({ generation: 1, ttlMs: 5_000 }));
    const again = await reopen(copy);
    expect(again.rule).toEqual(rule({ generation: 1, ttlMs: 5_000 }));
  });

  it('reads all again when values live longer: what it forgot when it had run out is there once more', async () => {
    const copy = await open(rule({ ttlMs: 4_000 }));
    const read = { after: 0, upTo: 1 };
    await copy.take([early('long ago', 1)], read);
    await copy.sweep(Date.now() + 10_000);
    await copy.change(rule({ generation: 2, ttlMs: 2_000 }));
    expect([copy.show('a'), copy.cursor]).toEqual([undefined, 1]);
    await copy.change(rule({ generation: 3, ttlMs: 60_000 }));
    expect(copy.cursor).toBe(0);
    await copy.take([early('long ago', 1)], read);
    expect(copy.show('a')?.value).toBe('long ago');
    await copy.change(rule({ generation: 4 }));
    expect(copy.cursor).toBe(0);
  });

  it('reads all again also when it is killed before it has begun to', async () => {
    const copy = await open(rule());
    await copy.take([early('there', 1)], { after: 0, upTo: 5 });
    await put(copy, 'mine', 'v');
    await copy.readAgain();
    expect((await open()).cursor).toBe(0);
  });

  it('goes on where the last line was not written to its end', async () => {
    const copy = await open(rule());
    await put(copy, 'a', '1');
    await put(copy, 'b', '2');
    const whole = (await stat(path)).size;
    await copy.close();
    opened.delete(copy);
    await appendFile(path, '0badc0de ["k","c",3,{"rule"');
    const again = await open();
    expect([again.show('a')?.value, again.show('b')?.value, again.show('c')]).toEqual(['1', '2', undefined]);
    await put(again, 'c', '3');
    expect((await readFile(path, 'utf8')).slice(whole)).toContain('"c"');
    expect((await reopen(again)).show('c')?.value).toBe('3');
  });

  it('offers and reads everything again when a line in the middle is damaged', async () => {
    const copy = await open(rule());
    for (const key of ['a', 'b', 'c']) await put(copy, key, `value of ${key}`);
    await copy.sent(3);
    await copy.take([], { after: 0, upTo: 9 });
    await copy.close();
    opened.delete(copy);
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('value of b', 'value of x'));
    const again = await open();
    expect([again.show('a')?.value, again.show('b'), again.show('c')?.value]).toEqual([
      'value of a',
      undefined,
      'value of c',
    ]);
    expect({ cursor: again.cursor, unsent: again.unsent, trouble: again.trouble }).toEqual({
      cursor: 0,
      unsent: 2,
      trouble: expect.stringContaining('damaged'),
    });
  });

  it('writes with a newer moment than what it has seen, and sends no word that another has replaced', async () => {
    const copy = await open(rule());
    await put(copy, 'a', 'mine');
    const later = Date.now() + 3_000;
    const theirs = {
      rule: 'newest' as const,
      at: [later, 0] as [number, number],
      by: THERE,
      value: 'theirs',
    };
    await copy.take([{ origin: THERE, key: 'a', write: 1, state: theirs }], { after: 0, upTo: 5 });
    expect(copy.show('a')?.value).toBe('theirs');
    expect(copy.unsentRecords()).toEqual({ records: [], upTo: 1 });
    await put(copy, 'a', 'after');
    expect(copy.show('a')).toMatchObject({ value: 'after', at: [later, 1] });
  });

  it('shows at once what the hub has not stored yet, and moves on when it has', async () => {
    const copy = await open(rule());
    const record = early('soon', 1);
    copy.takeEarly([record]);
    expect([copy.show('a')?.value, copy.cursor, copy.early.any]).toEqual(['soon', 0, true]);
    // Shown, and nothing else: what is compared and kept is without it.
    expect([copy.state().keys, (await readFile(path, 'utf8')).includes('soon')]).toEqual([0, false]);
    const told: unknown[] = [];
    changed = (keys) => void told.push(keys);
    await copy.take([record], { after: 0, upTo: 3 });
    expect([copy.cursor, copy.early.any, told]).toEqual([3, false, []]);
    expect((await reopen(copy)).show('a')?.value).toBe('soon');
  });

  it('lists what came early, among what it holds', async () => {
    const copy = await open(rule({ conflicts: 'keep-both' }));
    await put(copy, 'b', 'mine');
    const sibling = { by: THERE, at: [Date.now(), 0] as [number, number], write: 1, value: 'theirs' };
    const state = { rule: 'keep-both' as const, seen: { [THERE]: 1 }, siblings: [sibling] };
    copy.takeEarly(['a', 'b', 'c'].map((key) => ({ origin: THERE, key, write: 1, state })));
    const first = { after: '', limit: 2, accepts: () => true };
    expect(copy.held.firstAfter(first)).toEqual(['a', 'b']);
    expect(copy.held.firstAfter({ ...first, after: 'b' })).toEqual(['c']);
    expect(copy.held.siblings('b').map(({ value }) => value)).toEqual(['mine', 'theirs']);
  });

  it('writes over what came early when that has its place, so that what was removed stays so', async () => {
    const copy = await open(rule({ conflicts: 'set' }));
    await copy.write('tags', { verb: 'change', add: ['mine'], remove: [] });
    const record = { origin: THERE, key: 'tags', write: 1, state: adding('theirs') };
    copy.takeEarly([record]);
    expect(copy.show('tags')?.elements).toEqual(['mine', 'theirs']);
    const removed = copy.write('tags', { verb: 'change', add: [], remove: ['theirs'] });
    await copy.take([record], { after: 0, upTo: 1 });
    await removed;
    expect(copy.show('tags')?.elements).toEqual(['mine']);
  });

  it('has others given a few writes before they are on the disk', async () => {
    const copy = await open(rule());
    // From then on numbers are never used again.
    await put(copy, 'z', 'before');
    const given: OwnRecord[] = [];
    let onDisk: boolean | undefined;
    copy.underWay.givenBy((records) => {
      given.push(...records);
      onDisk = readFileSync(path, 'utf8').includes('first');
      return true;
    });
    await put(copy, 'a', 'first');
    expect([given.map(({ key, write }) => [key, write]), onDisk]).toEqual([[['a', 2]], false]);
    await Promise.all(Array.from({ length: 20 }, async (_, n) => await put(copy, `k${n}`, 'many')));
    expect(given).toHaveLength(1);
  });

  it('never uses the number of a write again that others may have been given', async () => {
    const copy = await open(rule());
    const numbers: number[] = [];
    copy.underWay.givenBy((records) => numbers.push(...records.map(({ write }) => write)) > 0);
    await put(copy, 'a', '0');
    await put(copy, 'a', '1');
    const log = Reflect.get(copy, 'log');
    const append = log.append.bind(log);
    log.append = () => Promise.reject(new Error('the disk is full'));
    await expect(put(copy, 'a', '2')).rejects.toMatchObject({ code: 'storage-full' });
    log.append = append;
    await put(copy, 'a', '3');
    // Not given before it is written: the disk has just failed.
    expect([numbers, copy.unsentRecords().upTo]).toEqual([[2, 3], 4]);
    const again = await reopen(copy);
    again.underWay.givenBy((records) => numbers.push(...records.map(({ write }) => write)) > 0);
    await put(again, 'a', '4');
    // A number that is on no disk yet may come again: so the first write is not given before.
    expect([numbers.length, again.unsentRecords().upTo > 1_000]).toEqual([2, true]);
    await put(again, 'a', '5');
    expect(numbers).toHaveLength(3);
  });

  it('takes back what it showed of another site when the file does not take it', async () => {
    const copy = await open(rule());
    await copy.take([early('first', 1)], { after: 0, upTo: 1 });
    // From here on nothing can be written to it.
    await Reflect.get(copy, 'log').close();
    const shown: (string | undefined)[] = [];
    changed = () => void shown.push(copy.show('a')?.value);
    const taken = copy.take([early('second', 2)], { after: 1, upTo: 2 });
    await expect(taken).rejects.toMatchObject({ code: 'storage-full' });
    expect(shown).toEqual(['second', 'first']);
    expect([copy.show('a')?.value, copy.cursor]).toEqual(['first', 1]);
    opened.delete(copy);
  });

  it('does not take what follows something that is missing', async () => {
    const copy = await open(rule());
    expect(await copy.take([], { after: 3, upTo: 4 })).toBe('gap');
    expect(copy.cursor).toBe(0);
    expect(await copy.take([], { after: 0, upTo: 4 })).toBe('taken');
  });

  it('refuses what its limits do not hold, and is as it was', async () => {
    const copy = await open(rule({ limits: { keys: 2, bytes: 5_000, valueBytes: 1_000 } }));
    await put(copy, 'a', '1');
    await put(copy, 'b', '2');
    const before = copy.state();
    await expect(put(copy, 'c', '3')).rejects.toMatchObject({ code: 'storage-full' });
    await expect(put(copy, 'a', 'x'.repeat(6_000))).rejects.toMatchObject({ code: 'storage-full' });
    await expect(copy.write('a', { verb: 'count', by: 1 })).rejects.toMatchObject({ code: 'invalid' });
    expect(copy.state()).toEqual(before);
  });

  it('has nothing left to send when what was written twice at once is sent', async () => {
    const copy = await open(rule());
    await Promise.all(['a', 'b', 'a'].map(async (key, i) => await put(copy, key, `v${i}`)));
    const { records, upTo } = copy.unsentRecords();
    expect(records.map(({ key, write }) => [key, write])).toEqual([
      ['b', 2],
      ['a', 3],
    ]);
    await copy.sent(upTo);
    expect(copy.unsent).toBe(0);
  });

  it('sends its own part of a counter, and what the hub has lost once more', async () => {
    const copy = await open(rule({ conflicts: 'counter' }));
    await copy.write('hits', { verb: 'count', by: 3 });
    const theirs = { rule: 'counter' as const, counts: { [THERE]: [4, 1] as [number, number] } };
    await copy.take([{ origin: THERE, key: 'hits', write: 9, state: theirs }], { after: 0, upTo: 2 });
    expect(copy.show('hits')?.number).toBe(6);
    expect(copy.unsentRecords().records).toEqual([
      { key: 'hits', write: 1, state: { rule: 'counter', counts: { [HERE]: [3, 0] } } },
    ]);
    await copy.sent(1);
    expect(copy.unsent).toBe(0);
    await copy.sendAgain(0);
    expect(copy.unsentRecords().upTo).toBe(1);
  });

  it('only the home of a dataset with a single writer writes', async () => {
    const copy = await open(rule({ conflicts: 'single-writer', home: 'jp' }));
    await expect(put(copy, 'a', '1')).rejects.toThrow('only site jp writes shop/cart');
  });

  it('leaves nothing when it is to be forgotten', async () => {
    const copy = await open(rule());
    await put(copy, 'a', 'secret');
    await copy.forget();
    opened.delete(copy);
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('a file that was rewritten many times stays small', async () => {
    const copy = await open(rule({ limits: { keys: 100, bytes: 1_000_000, valueBytes: 10_000 } }));
    const value = 'x'.repeat(10_000);
    for (let round = 0; round < 20; round += 1)
      await Promise.all(Array.from({ length: 60 }, async (_, i) => await put(copy, `k${i}`, value)));
    // Of 12 MB that were written.
    expect((await stat(path)).size).toBeLessThan(8 * 1024 * 1024);
    expect((await reopen(copy)).state()).toMatchObject({ keys: 60, unsent: 60 });
  });
});
