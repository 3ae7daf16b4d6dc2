import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { nextWriteEndsHalfway, syncFoldersBy } from '../files/disk-under-test.suite.js';
import { CopyLog } from './copy-log.js';

describe('a file of lines that are only ever added', () => {
  let dir: string;
  let log: CopyLog;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-log-'));
    log = await CopyLog.open(join(dir, 'log'));
  });
  afterEach(async () => {
    await log.close();
    await rm(dir, { recursive: true });
  });
  const append = async (value: string) => await log.append([value], { durable: true });
  const afterRestart = async () => {
    await log.close();
    log = await CopyLog.open(join(dir, 'log'));
    const values: unknown[] = [];
    const { damaged } = await log.read((value) => values.push(value));
    return { values, damaged };
  };

  it('goes on in the file that took the place of another, and only once its name is known to last', async () => {
    await append('old');
    const undo = await syncFoldersBy(async () => await Promise.reject(new Error('EIO: i/o error, fsync')));
    try {
      await expect(log.replace(['new'])).rejects.toThrow('EIO');
      await expect(append('lost')).rejects.toThrow('EIO');
    } finally {
      undo();
    }
    await append('added');
    expect(await afterRestart()).toEqual({ values: ['new', 'added'], damaged: false });
  });

  it('stays as it was when what is to take its place cannot be written', async () => {
    await append('old');
    await nextWriteEndsHalfway();
    await expect(log.replace(['new'])).rejects.toThrow('ENOSPC');
    await append('added');
    expect(await afterRestart()).toEqual({ values: ['old', 'added'], damaged: false });
  });

  it('has after a replacement what is added after a write that ended halfway', async () => {
    await log.replace(['new']);
    await nextWriteEndsHalfway();
    await expect(append('lost')).rejects.toThrow('ENOSPC');
    await append('added');
    expect(await afterRestart()).toEqual({ values: ['new', 'added'], damaged: false });
  });

  it('has what is added while what takes its place is filled, after what that was filled with', async () => {
    await append('old');
    const successor = log.begin();
    await append('before it is filled');
    const values = (function* () {
      for (let n = 0; n < 10_000; n += 1) yield `filled ${'x'.repeat(100)}`;
    })();
    const filled = successor.writeAll(values);
    for (let n = 0; n < 20; n += 1) await append(`meanwhile ${n}`);
    await filled;
    await append('after it was filled');
    await log.succeed(['the end']);
    await append('added');
    const { values: found, damaged } = await afterRestart();
    expect(damaged).toBe(false);
    expect(found.slice(0, 10_000).every((value) => String(value).startsWith('filled'))).toBe(true);
    const meanwhile = Array.from({ length: 20 }, (_, n) => `meanwhile ${n}`);
    const rest = ['before it is filled', ...meanwhile, 'after it was filled', 'the end', 'added'];
    expect(found.slice(10_000)).toEqual(rest);
  });

  it('goes on as it was when what is to take its place is given up, and leaves nothing of it', async () => {
    await append('old');
    const successor = log.begin();
    await successor.writeAll(['new']);
    await append('added');
    await log.giveUp();
    await append('added after');
    expect(await afterRestart()).toEqual({ values: ['old', 'added', 'added after'], damaged: false });
    expect(await readdir(dir)).toEqual(['log']);
  });
});
