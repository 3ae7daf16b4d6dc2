import { mkdtemp, rm } from 'node:fs/promises';
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

  it('wanted at once are one each, and what was written is there after a restart', async () => {
    const names = ['cart', 'hits', 'cart', 'tags', 'hits'];
    const made = await Promise.all(names.map(async (name) => await copies.want(rule(name))));
    expect(new Set(made).size).toBe(3);
    for (const copy of made) await copy.write('k', { verb: 'put', value: 'v' });
    await copies.close();
    copies = await open();
    for (const name of names) expect(copies.get(`shop.${name}`)?.copy.show('k')?.value).toBe('v');
  });

  it('that are made anew write under another name, since they do not know what they wrote before', async () => {
    const before = await copies.want(rule('cart'));
    await before.write('k', { verb: 'put', value: 'v' });
    const kept = before.origin;
    await copies.close();
    copies = await open();
    expect(copies.get('shop.cart')?.copy.origin).toBe(kept);
    await copies.forget('shop.cart');
    expect((await copies.want(rule('cart'))).origin).not.toBe(kept);
  });
});
