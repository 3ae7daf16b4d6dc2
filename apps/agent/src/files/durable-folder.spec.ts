import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DurableFolder } from './durable-folder.js';

describe('a folder of files that are replaced as a whole', () => {
  let path: string;
  let folder: DurableFolder;
  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), 'skerry-durable-'));
    folder = new DurableFolder(path);
  });
  afterAll(async () => await rm(path, { recursive: true, force: true }));
  const text = async (name: string) => await readFile(join(path, name), 'utf8');

  it('has what was kept when that is said, however many come at once', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `f${i}`);
    await Promise.all(names.map(async (name) => await folder.keep(name, () => `of ${name}`)));
    expect((await readdir(path)).toSorted()).toEqual(names.toSorted());
    expect(await text('f99')).toBe('of f99');
    await Promise.all(names.map(async (name) => await folder.keep(name, () => undefined)));
    expect(await readdir(path)).toEqual([]);
  });

  it('writes what is so when its turn comes, one after the other', async () => {
    let is: string | undefined = 'first';
    const first = folder.keep('one', () => is);
    is = 'second';
    const second = folder.keep('one', () => is);
    await Promise.all([first, second]);
    expect(await text('one')).toBe('second');
    const third = folder.keep('one', () => is);
    is = undefined;
    await third;
    expect(await readdir(path)).toEqual([]);
  });

  it('fails for what could not be written alone, and takes it when it is asked again', async () => {
    const lost = new DurableFolder(join(path, 'none'));
    const both = await Promise.allSettled([lost.keep('one', () => 'x'), folder.keep('two', () => 'y')]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(lost.isWriting('one')).toBe(false);
    await folder.settled();
  });
});
