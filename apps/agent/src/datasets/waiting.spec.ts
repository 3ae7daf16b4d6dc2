import { describe, expect, it } from '@jest/globals';
import { Waiting } from './waiting.js';

describe('writes that wait for the hub', () => {
  it('go in their order, a key that is written again at the end', () => {
    const waiting = new Waiting();
    waiting.add('a', 1, 0);
    waiting.add('b', 2, 0);
    waiting.add('a', 3, 0);
    expect([...waiting.entries()]).toEqual([
      ['b', 2],
      ['a', 3],
    ]);
    waiting.sent(2);
    expect([...waiting.entries()]).toEqual([['a', 3]]);
  });

  it('say since when the oldest of them waits, to a second', () => {
    const waiting = new Waiting();
    expect(waiting.sinceMs).toBeUndefined();
    for (let n = 1; n <= 100; n += 1) waiting.add(`k${n}`, n, n * 100);
    expect(waiting.sinceMs).toBe(100);
    waiting.sent(50);
    expect(5_100 - (waiting.sinceMs ?? 0)).toBeLessThanOrEqual(1_000);
    expect(waiting.sinceMs).toBeLessThanOrEqual(5_100);
    waiting.sent(99);
    expect(waiting.sinceMs).toBeGreaterThanOrEqual(9_000);
    waiting.sent(100);
    expect([waiting.count, waiting.sinceMs]).toEqual([0, undefined]);
  });
});
