import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copySchema, type Copy as CopyRule } from '@skerry/contracts';
import { Copy } from './copy.js';

const KEYS = 6_000;
/** Keys that are written while the file is. */
const BUSY = 200;
const VALUE = 'x'.repeat(800);

const rule = (generation: number): CopyRule =>
  copySchema.parse({
    project: 'shop',
    name: 'cart',
    incarnation: 1,
    generation,
    conflicts: 'newest',
    limits: { keys: 100_000, bytes: 100_000_000, valueBytes: 1_000 },
  });

describe('a file of a copy that is written anew', () => {
  let dir: string;
  let copy: Copy;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-rewriting-'));
    copy = await open(rule(1));
    await Promise.all(Array.from({ length: KEYS }, async (_, n) => await put(`k${n}`, VALUE)));
  });
  afterEach(async () => {
    await copy.close();
    await rm(dir, { recursive: true });
  });
  const open = async (given?: CopyRule): Promise<Copy> => {
    const path = join(dir, 'shop.cart.copy');
    const found = await Copy.open(
      { path, site: 'eu', store: '0'.repeat(16), onChange: () => undefined },
      given,
    );
    if (found === undefined) throw new Error('nothing there');
    return found;
  };
  const put = async (key: string, value: string) => await copy.write(key, { verb: 'put', value });
  const files = async () => (await readdir(dir)).toSorted();
  const isBeingWritten = async () => (await files()).includes('shop.cart.copy.new');

  it('takes writes meanwhile, and has the last of each key after a restart', async () => {
    await copy.change(rule(2));
    let meanwhile = 0;
    for (let n = 0; n < 5_000; n += 1) {
      await put(`k${n % BUSY}`, `new ${n}`);
      if (await isBeingWritten()) meanwhile += 1;
      else if (meanwhile > 0) break;
    }
    expect(meanwhile).toBeGreaterThan(5);
    const before = Array.from({ length: KEYS }, (_, n) => copy.show(`k${n}`)?.value);
    await copy.close();
    expect(await files()).toEqual(['shop.cart.copy']);
    const { writes } = { writes: copy.unsentRecords().upTo };
    copy = await open();
    expect(copy.rule.generation).toBe(2);
    expect(Array.from({ length: KEYS }, (_, n) => copy.show(`k${n}`)?.value)).toEqual(before);
    expect(copy.unsentRecords().upTo).toBe(writes);
  });

  it('is tried again after a while when it could not be made, and writes are taken meanwhile', async () => {
    const inTheWay = join(dir, 'shop.cart.copy.new');
    await mkdir(inTheWay);
    await copy.change(rule(2));
    while (copy.problem === undefined) await new Promise((again) => setImmediate(again));
    expect(copy.problem).toMatch(/EISDIR/);
    await put('k0', 'meanwhile');
    await rm(inTheWay, { recursive: true });
    for (let n = 0; !(await isBeingWritten()) && n < 1_000; n += 1) {
      await put('k1', `again ${n}`);
      await new Promise((again) => setTimeout(again, 5));
    }
    await copy.close();
    copy = await open();
    expect(copy.rule.generation).toBe(2);
    expect(copy.show('k0')?.value).toBe('meanwhile');
  });

  it('is not waited for by who forgets the copy', async () => {
    await copy.change(rule(2));
    await copy.forget();
    expect(await files()).toEqual([]);
  });

  it('is written anew under writes that do not end', async () => {
    const ends = new AbortController();
    let next = 0;
    const writer = async () => {
      while (!ends.signal.aborted) await put(`k${(next += 1) % BUSY}`, VALUE);
    };
    const writers = Promise.all(Array.from({ length: 4 }, writer));
    await copy.change(rule(2));
    const until = async (holds: boolean) => {
      const deadline = performance.now() + 20_000;
      while ((await isBeingWritten()) !== holds && performance.now() < deadline)
        await new Promise((again) => setImmediate(again));
      return await isBeingWritten();
    };
    expect(await until(true)).toBe(true);
    expect(await until(false)).toBe(false);
    ends.abort();
    await writers;
  });
});
