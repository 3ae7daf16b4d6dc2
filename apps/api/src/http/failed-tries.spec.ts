import { describe, expect, it } from '@jest/globals';
import { FailedTries } from './failed-tries.js';

describe('failed tries', () => {
  it('are allowed in a burst of ten, then one a second', () => {
    const tries = new FailedTries();
    const burst = Array.from({ length: 12 }, () => tries.spend('a', 0));
    expect(burst.filter(Boolean)).toHaveLength(10);
    expect(tries.spend('a', 900)).toBe(false);
    expect(tries.spend('a', 2_500)).toBe(true);
  });

  it('of one address do not count for another', () => {
    const tries = new FailedTries();
    for (let i = 0; i < 20; i += 1) tries.spend('a', 0);
    expect(tries.spend('b', 0)).toBe(true);
  });

  it('are remembered of ten thousand addresses at most', () => {
    const tries = new FailedTries();
    for (let i = 0; i < 20; i += 1) tries.spend('first', 0);
    for (let i = 0; i < 10_000; i += 1) tries.spend(`address-${i}`, 0);
    expect(tries.spend('first', 0)).toBe(true);
  });
});
