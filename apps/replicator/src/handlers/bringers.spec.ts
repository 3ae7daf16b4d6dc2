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
});
