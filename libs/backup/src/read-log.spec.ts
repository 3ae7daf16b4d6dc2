import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BackupStore } from './backup-store.js';
import { FolderTarget } from './folder-target.js';
import { readLogAt } from './read-log.js';
import { makeKeyText, parseKeyText } from './sealing.js';

const ORIGIN = 'one.00000000000000aa';
const OTHER = 'two.00000000000000bb';
const TALK = { project: 'shop', name: 'talk' };

describe('a log as it was at a time', () => {
  let folder: string;
  let store: BackupStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-log-'));
    const key = parseKeyText(makeKeyText(), 'the test');
    store = await BackupStore.open(new FolderTarget(folder), key, { make: true });
  });
  afterEach(async () => await rm(folder, { recursive: true, force: true }));

  /** Entries with these numbers, each written at its number times ten. */
  interface Batch {
    numbers: number[];
    origin?: string;
    name?: string;
    incarnation?: number;
  }

  /** A backup made at a second, of these batches. */
  async function backup(atMs: number, batches: Batch[], datasets = ['shop/talk']): Promise<string> {
    const chunks: string[] = [];
    for (const { numbers, origin = ORIGIN, name = 'talk', incarnation = 1 } of batches) {
      const [from = 1, upTo = 0] = [numbers[0], numbers.at(-1)];
      const value = {
        kind: 'Entries',
        project: 'shop',
        name,
        incarnation,
        origin,
        from,
        upTo,
        entries: numbers.map((number) => ({ number, at: number * 10, value: `${name} ${number}` })),
        totalBytes: 1,
      };
      const body = Buffer.from(JSON.stringify(value));
      const message = { subject: `log.shop.${name}.${origin}`, sequence: 1, storedAt: 0, headers: {}, body };
      chunks.push((await store.add([message])).name);
    }
    const readAt = new Date(atMs).toISOString();
    const id = `20260101T0000${String(atMs / 10).padStart(2, '0')}Z-000000`;
    const part = { name: 'LOGS', stream: 'LOGS', sequence: 1, readAt, entries: 1, bytes: 1, chunks };
    const added = { chunks: 1, bytes: 1 };
    const of = { format: 1 as const, id, createdAt: readAt, term: 1, sequences: {}, added };
    await store.finish({ ...of, parts: [part], datasets, leftOut: [] });
    return id;
  }

  const numbersAt = async (until: number) =>
    (await readLogAt(store, TALK, { until })).entries.map(
      ({ origin, number }) => `${origin.slice(0, 3)} ${number}`,
    );

  it('has what was written until then, by time, also what had to go before the backup that reaches it', async () => {
    const first = await backup(30, [{ numbers: [1, 2] }, { numbers: [1], origin: OTHER }]);
    const second = await backup(60, [
      { numbers: [3, 4] },
      { numbers: [5] },
      { numbers: [2, 3], name: 'other' },
    ]);
    await backup(90, [{ numbers: [5, 6, 7] }]);
    expect(await numbersAt(20)).toEqual(['one 1', 'two 1', 'one 2']);
    expect(await numbersAt(45)).toEqual(['one 1', 'two 1', 'one 2', 'one 3', 'one 4']);
    const then = await readLogAt(store, TALK, { until: 50 });
    expect(then).toMatchObject({ gaps: [], backups: [first, second] });
    expect(then.entries.at(-1)).toEqual({ origin: ORIGIN, number: 5, at: 50, value: 'talk 5' });
  });

  it('names what no backup holds', async () => {
    await backup(30, [{ numbers: [2] }]);
    await backup(90, [{ numbers: [5, 6, 9] }]);
    expect((await readLogAt(store, TALK, { until: 60 })).gaps).toEqual([
      { origin: ORIGIN, from: 1, to: 1 },
      { origin: ORIGIN, from: 3, to: 4 },
    ]);
  });

  it('is that of the newest of its name: one that was removed before is another', async () => {
    await backup(20, [{ numbers: [1, 2] }]);
    await backup(90, [{ numbers: [3], incarnation: 2 }]);
    expect(await numbersAt(20)).toEqual(['one 1', 'one 2']);
    expect(await numbersAt(29)).toEqual(['one 1', 'one 2']);
    expect(await numbersAt(50)).toEqual(['one 3']);
  });

  it('is refused where no backup reaches, or none holds the log', async () => {
    await expect(numbersAt(1)).rejects.toThrow('holds shop/talk');
    await backup(30, [{ numbers: [1] }]);
    await backup(90, [], ['shop/other']);
    await expect(numbersAt(31)).rejects.toMatchObject({
      message: 'no backup of shop/talk reaches 1970-01-01T00:00:00.031Z',
      hint: expect.stringContaining('was made 1970-01-01T00:00:00.030Z'),
    });
    expect(await numbersAt(30)).toEqual(['one 1']);
  });
});
