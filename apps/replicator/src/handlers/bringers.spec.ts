import { describe, expect, it } from '@jest/globals';
import type { ChunkRef } from '@skerry/contracts';
import { Bringers } from './bringers.js';

const LOST: ChunkRef[] = ['a', 'b', 'c', 'd'].map((name) => ({ digest: name, bytes: 1 }));
const names = (chunks: readonly ChunkRef[]) => chunks.map(({ digest }) => digest).join('');

describe('what the hub has lost and several sites have', () => {
  const share = (bringers: Bringers, site: string, now: number, dataset = 'd') =>
    names(bringers.share(dataset, site, { lacking: LOST, most: 2, now }));

  it('is brought once: each site is asked for what no other brings', () => {
    const bringers = new Bringers();
    expect(share(bringers, 'one', 0)).toBe('ab');
    expect(share(bringers, 'two', 0)).toBe('cd');
    expect(share(bringers, 'three', 0)).toBe('');
    expect(share(bringers, 'one', 0)).toBe('ab');
    expect(share(bringers, 'three', 0, 'other')).toBe('ab');
  });

  it('is brought by another when a site that was to bring it falls silent, and not while it brings', () => {
    const bringers = new Bringers();
    share(bringers, 'one', 0);
    share(bringers, 'two', 0);
    bringers.came('d', 'two', { digest: 'c', now: 4_000 });
    expect(share(bringers, 'three', 5_000)).toBe('ab');
  });

  it('is brought by another when who was to bring it asks and brings nothing', () => {
    const bringers = new Bringers();
    share(bringers, 'one', 0);
    bringers.share('d', 'two', { lacking: LOST.slice(0, 2), most: 2, now: 3_000 });
    expect(share(bringers, 'one', 4_000)).toBe('ab');
    // Its time is over, and another one waits.
    expect(share(bringers, 'one', 6_000)).toBe('cd');
    expect(share(bringers, 'two', 7_000)).toBe('ab');
    expect(share(bringers, 'one', 8_000)).toBe('cd');
  });

  it('is brought by who was to bring it, however late, when nobody else asks any more', () => {
    const bringers = new Bringers();
    share(bringers, 'one', 0);
    share(bringers, 'two', 1_000);
    expect(share(bringers, 'one', 20_000)).toBe('ab');
  });

  it('is kept from others by who brings it, and not for ever', () => {
    const bringers = new Bringers();
    const own = Array.from({ length: 40 }, (_, at) => ({ digest: `own${at}`, bytes: 1 }));
    bringers.share('d', 'one', { lacking: [...LOST, ...own], most: 44, now: 0 });
    for (const [at, { digest }] of own.entries())
      bringers.came('d', 'one', { digest, now: (at + 1) * 4_000 });
    expect(share(bringers, 'two', 100_000)).toBe('');
    expect(share(bringers, 'two', 160_000)).toBe('ab');
  });
});
