const STEP = 0x6d2b79f5;

/** Numbers from 0 up to 1 that are the same for the same seed (mulberry32, 32 bits of state). */
export function seededStream(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + STEP) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
