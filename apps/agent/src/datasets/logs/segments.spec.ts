import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { failDataSync, nextWriteEndsHalfway, syncFoldersBy } from '../../files/disk-under-test.suite.js';
import { Segments } from './segments.js';

const open = async (folder: string) => await Segments.open(folder, (line) => line);

describe('a log in several files', () => {
  let dir: string;
  let segments: Segments<unknown>;
  const append = async (line: string) => await segments.append([line], { durable: true });
  const reopen = async () => {
    await segments.close();
    const { lines, first, ...opened } = await open(join(dir, 'log'));
    ({ segments } = opened);
    return { first, lines, damaged: segments.damaged };
  };
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-segments-'));
    ({ segments } = await open(join(dir, 'log')));
    await segments.begin({ place: 0, written: 0, head: 'head' });
  });
  afterEach(async () => {
    await segments.close();
    await rm(dir, { recursive: true });
  });

  it('keeps what is added after a write that ended halfway', async () => {
    await append('before');
    await nextWriteEndsHalfway();
    await expect(append('lost')).rejects.toThrow('ENOSPC');
    await append('after');
    expect(await reopen()).toEqual({ first: 'head', lines: ['before', 'after'], damaged: false });
  });

  it('adds to the file that was begun last, and only once its name is known to last', async () => {
    await append('before');
    const undo = await syncFoldersBy(async () => await Promise.reject(new Error('EIO: i/o error, fsync')));
    try {
      await expect(segments.begin({ place: 1, written: 1, head: 'next' })).rejects.toThrow('EIO');
      await expect(append('lost')).rejects.toThrow('EIO');
      await expect(segments.dropFirst()).rejects.toThrow('EIO');
    } finally {
      undo();
    }
    await append('after');
    expect(await reopen()).toEqual({ first: 'next', lines: ['after'], damaged: false });
    const all = [];
    for await (const line of segments.from(0)) all.push(line);
    expect(all).toEqual(['before', 'after']);
  });

  it('begins another file only once what lies before it lasts', async () => {
    await segments.append(['heard'], { durable: false });
    const undo = await failDataSync();
    try {
      await expect(segments.begin({ place: 1, written: 0, head: 'behind it' })).rejects.toThrow('EIO');
    } finally {
      undo();
    }
    expect(await reopen()).toEqual({ first: 'head', lines: ['heard'], damaged: false });
  });
});
