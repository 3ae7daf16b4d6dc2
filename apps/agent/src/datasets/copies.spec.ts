import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copySchema } from '@skerry/contracts';
import { z } from 'zod';
import { Copies } from './copies.js';
import { operate } from './operate.js';

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

  const open = async () => await Copies.open(folder, { site: 'eu', node: 'eu-1', log, covers: () => true });
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

  it('leave no keys of what is here no more, also when a kill came before those had gone', async () => {
    await copies.want(rule('cart'));
    for (const name of ['cart', 'gone']) await writeFile(join(folder, `shop.${name}.keys`), '{}');
    await copies.close();
    copies = await open();
    const names = await readdir(folder);
    expect(names.filter((name) => name.endsWith('.keys'))).toEqual(['shop.cart.keys']);
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

  describe('that are given up', () => {
    const moving = (holder: object) =>
      copySchema.parse({
        ...rule('ledger'),
        conflicts: 'single-writer',
        holder: { with: 'keeper', losses: 0, ...holder },
      });
    const conflicting = async () => {
      const asked = { verb: 'list', project: 'shop', name: 'ledger', limit: 9, conflicting: true } as const;
      const { entries } = z.object({ entries: z.array(z.unknown()) }).parse(await operate(copies, asked));
      return entries;
    };
    const get = async () => await operate(copies, { verb: 'get', project: 'shop', name: 'ledger', key: 'k' });
    beforeEach(async () => {
      const copy = await copies.want(moving({ site: 'eu', epoch: 1, pen: true }));
      await copy.write('k', { verb: 'put', value: 'mine' });
    });

    it('leave nothing when the hub has all', async () => {
      expect(await copies.giveUp('shop.ledger')).toBe(false);
      await copies.get('shop.ledger')?.copy.sent(1);
      expect(await copies.giveUp('shop.ledger')).toBe(true);
      expect(await readdir(folder)).toEqual(['store.json']);
    });

    it('keep for people what was set aside, and answer nothing else', async () => {
      await copies.want(moving({ site: 'us', epoch: 2 }));
      await copies.get('shop.ledger')?.copy.setAside(0);
      for (let times = 0; times < 2; times += 1) {
        expect(await copies.giveUp('shop.ledger')).toBe(false);
        expect(await conflicting()).toEqual([
          expect.objectContaining({ key: 'k', siblings: [expect.objectContaining({ value: 'mine' })] }),
        ]);
        await expect(get()).rejects.toThrow('no copy of shop/ledger at eu');
      }
      expect(copies.trouble).toContain('1 key was written here while cut off');
      await copies.want(moving({ site: 'us', epoch: 2 }));
      expect(await conflicting()).toHaveLength(1);
      await copies.forget('shop.ledger');
      expect(await readdir(folder)).toEqual(['store.json']);
    });
  });
});
