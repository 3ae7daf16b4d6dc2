import { describe, expect, it } from '@jest/globals';
import type { DigestRequest } from '@skerry/contracts';
import { DigestPages } from './digest-pages.js';

const MIB = 1024 * 1024;
const page = (n: number, last = false): DigestRequest => ({
  site: 's1',
  page: n,
  last,
  items: [{ project: 'shop', name: `w${n}`, version: { term: 1, generation: 1, revision: 1 } }],
  lastSequence: 0,
});

describe('a digest in pages', () => {
  it('is whole with its last page, and only when none is missing', () => {
    const pages = new DigestPages();
    expect(pages.take('n1', page(0), 1)).toBeUndefined();
    expect(pages.take('n2', page(0), 1)).toBeUndefined();
    expect(pages.take('n1', page(1, true), 1)?.map((i) => i.name)).toEqual(['w0', 'w1']);
    expect(() => pages.take('n2', page(2, true), 1)).toThrow('without those before it');
    expect(() => pages.take('n2', page(1, true), 1)).toThrow('without those before it');
    expect(pages.take('n2', page(0, true), 1)).toHaveLength(1);
  });

  it('has 50 pages at most', () => {
    const pages = new DigestPages();
    for (let n = 0; n < 49; n += 1) pages.take('n1', page(n), 1);
    expect(() => pages.take('n1', page(49), 1)).toThrow('more than 50 pages');
  });

  it('takes 8 MiB at most with all others that wait, and for 10 s', () => {
    let now = 0;
    const pages = new DigestPages(() => now);
    for (let n = 0; n < 8; n += 1) pages.take(`n${n}`, page(0), MIB);
    expect(() => pages.take('n8', page(0), MIB)).toThrow('too many digests');
    // One page needs no room.
    expect(pages.take('n8', page(0, true), MIB)).toHaveLength(1);
    now = 10_001;
    expect(pages.take('n8', page(0), MIB)).toBeUndefined();
  });
});
