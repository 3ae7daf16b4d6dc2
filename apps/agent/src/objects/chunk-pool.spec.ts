import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { syncFoldersBy } from '../files/disk-under-test.suite.js';
import { ChunkPool, digestOf } from './chunk-pool.js';

describe('names of chunks on the disk', () => {
  let dir: string;
  let pool: ChunkPool;
  let undo: () => void = () => undefined;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-pool-'));
    pool = await ChunkPool.open(join(dir, 'chunks'));
    await put('first of all: folders are made');
    await pool.settle();
  });
  afterEach(async () => {
    undo();
    await rm(dir, { recursive: true });
  });
  const put = async (text: string) => await pool.put(digestOf(Buffer.from(text)), Buffer.from(text));

  it('settles for nobody while another still makes them last', async () => {
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const syncs = { begun: 0, ended: 0 };
    undo = await syncFoldersBy(async (sync) => {
      syncs.begun += 1;
      await gate;
      await sync();
      syncs.ended += 1;
    });
    await put('a');
    const other = pool.settle();
    const mine = pool.settle().then(() => syncs.ended);
    go();
    expect(await mine).toBe(1);
    await other;
    await pool.settle();
    expect(syncs).toEqual({ begun: 1, ended: 1 });
  });

  it('makes a name last that came after a sync of its part began', async () => {
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    let begun = 0;
    undo = await syncFoldersBy(async (sync) => {
      begun += 1;
      await gate;
      await sync();
    });
    await put('a');
    const first = pool.settle();
    const [sibling] = texts.filter((text) => partOf(text) === partOf('a'));
    await put(sibling ?? '');
    const second = pool.settle();
    go();
    await Promise.all([first, second]);
    expect(begun).toBe(2);
    await pool.settle();
    expect(begun).toBe(2);
  });

  it('tries again what the disk did not take', async () => {
    let fails = true;
    let synced = 0;
    undo = await syncFoldersBy(async (sync) => {
      if (fails) throw new Error('EIO: i/o error, fsync');
      await sync();
      synced += 1;
    });
    await put('a');
    const both = await Promise.allSettled([pool.settle(), pool.settle()]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    fails = false;
    await pool.settle();
    expect(synced).toBe(1);
  });
});

const partOf = (text: string): string => digestOf(Buffer.from(text)).slice(0, 2);
const texts = Array.from({ length: 5_000 }, (_, n) => `text ${n}`);
