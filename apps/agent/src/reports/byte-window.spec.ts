import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { ByteWindow } from './byte-window.js';

/** Asks for all of them at once; the most that was on its way, and the order in which they began. */
async function run(size: number, sizes: readonly number[]) {
  const window = new ByteWindow(size);
  const order: number[] = [];
  let used = 0;
  let most = 0;
  const all = sizes.map((bytes, i) =>
    window.within(bytes, async () => {
      order.push(i);
      used += bytes;
      most = Math.max(most, used);
      await new Promise((tick) => setImmediate(tick));
      used -= bytes;
    }),
  );
  await Promise.all(all);
  return { most, order };
}

describe('the window of bytes', () => {
  it('never has more on their way than it may, and keeps the order', async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(sizes, async (bytes) => {
        const { most, order } = await run(100, bytes);
        expect(most).toBeLessThanOrEqual(100);
        expect(order).toEqual(bytes.map((_, i) => i));
      }),
      { numRuns: 50 },
    );
  });

  it('lets one that is larger than itself go alone', async () => {
    expect(await run(10, [5, 50, 5])).toEqual({ most: 50, order: [0, 1, 2] });
  });

  it('has room again after work that failed', async () => {
    const window = new ByteWindow(10);
    await expect(window.within(10, () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
    expect(await window.within(10, () => Promise.resolve('done'))).toBe('done');
  });
});
