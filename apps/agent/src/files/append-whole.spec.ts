import { mkdtemp, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ANEW, appendWhole } from './append-whole.js';
import { nextWriteEndsHalfway } from './disk-under-test.suite.js';

describe('a file that is only added to', () => {
  let dir: string;
  let file: FileHandle;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-append-'));
    file = await open(join(dir, 'file'), ANEW);
  });
  afterEach(async () => {
    await file.close();
    await rm(dir, { recursive: true });
  });

  it('has nothing of what was refused, also when it could not be cut at once', async () => {
    let cuts = 0;
    const truncate = file.truncate.bind(file);
    file.truncate = async (length) => {
      cuts += 1;
      if (cuts < 3) throw new Error('EIO: i/o error, ftruncate');
      await truncate(length);
    };
    const append = async (text: string, at: number) =>
      await appendWhole(file, Buffer.from(text), { at, durable: true });
    await append('one.', 0);
    await nextWriteEndsHalfway();
    await expect(append('two.', 4)).rejects.toThrow('ENOSPC');
    await expect(append('two.', 4)).rejects.toThrow('ftruncate');
    await append('three.', 4);
    await append('four.', 10);
    expect(await readFile(join(dir, 'file'), 'utf8')).toBe('one.three.four.');
  });
});
