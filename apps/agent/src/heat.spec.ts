import { describe, expect, it } from '@jest/globals';
import { COLD, nextHeat, type Heat } from './heat.js';

const LOOK_MS = 500;
/** After so many ms in which it took this share of a processor. */
const after = (ms: number, share: number, from: Heat = COLD) =>
  Array.from({ length: ms / LOOK_MS }).reduce<Heat>(
    (heat) => nextHeat(heat, [share * LOOK_MS, LOOK_MS]),
    from,
  );

describe('the agent has what is hot optimized', () => {
  it('not while it is at rest, nor for the moment of a start', () => {
    expect(after(3_600_000, 0.05).optimized).toBe(false);
    expect(after(3_600_000, 0.02, after(500, 0.9)).optimized).toBe(false);
  });

  it('after a second of work, however much of the machine others take meanwhile', () => {
    expect(after(500, 1).optimized).toBe(false);
    expect(after(1_500, 1).optimized).toBe(true);
    expect(after(3_000, 0.3).optimized).toBe(false);
    expect(after(5_000, 0.3).optimized).toBe(true);
  });

  it('until it has been at rest for ten seconds', () => {
    const warm = after(1_500, 1);
    expect(after(9_500, 0, warm).optimized).toBe(true);
    expect(after(10_500, 0, warm)).toEqual(COLD);
    expect(after(60_000, 0.11, warm).optimized).toBe(true);
  });
});
