import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copySchema } from '@skerry/contracts';
import { Copies } from './copies.js';

const ignore = () => undefined;
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

describe('the copies of a node', () => {
  let folder: string;
  let copies: Copies;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-copies-'));
    copies = await open();
  });
  afterEach(async () => {
    await copies.close();
    await rm(folder, { recursive: true });
  });

  const open = async () => await Copies.open(folder, { site: 'eu', node: 'eu-1', log });
  const rule = (name: string) =>
    copySchema.parse({
      project: 'shop',
      name,
      incarnation: 1,
      generation: 1,
      conflicts: 'newest',
      limits: {},
    });

  it('wanted at once have one name among writers, and each is one: what was written is there after a restart', async () => {
    const names = ['cart', 'hits', 'cart', 'tags', 'hits'];
    const made = await Promise.all(names.map(async (name) => await copies.want(rule(name))));
    expect(new Set(made).size).toBe(3);
    expect(new Set(made.map(({ origin }) => origin)).size).toBe(1);
    const kept = JSON.parse(await readFile(join(folder, 'store.json'), 'utf8'));
    expect(made[0]?.origin).toBe(`eu.${kept.store}`);
    for (const copy of made) await copy.write('k', { verb: 'put', value: 'v' });
    await copies.close();
    copies = await open();
    for (const name of names) expect(copies.get(`shop.${name}`)?.copy.show('k')?.value).toBe('v');
  });
});
