import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { bySubject, Cutter, decodeEntries, encodeEntries, type StoredEntry } from './entries.js';

const entry = fc.record({
  subject: fc.stringMatching(/^[a-z]{1,8}(\.[a-z0-9]{1,8}){0,3}$/),
  sequence: fc.integer({ min: 1, max: 2 ** 40 }),
  storedAt: fc.integer({ min: 0, max: 2 ** 41 }),
  headers: fc.dictionary(fc.stringMatching(/^[A-Z][A-Za-z-]{0,12}$/), fc.string({ maxLength: 12 })),
  body: fc.uint8Array({ maxLength: 64 }),
});

const keysOf = (count: number): StoredEntry[] =>
  Array.from({ length: count }, (_, n) => ({
    subject: `$KV.workloads.shop.w${n}`,
    sequence: n + 1,
    storedAt: n,
    headers: {},
    body: Buffer.from(`{"n":${n}}`),
  }));

function chunksOf(entries: readonly StoredEntry[], layout: 'keyed' | 'log'): string[] {
  const cutter = new Cutter(layout);
  const cuts: StoredEntry[][] = [];
  const keep = (chunk: StoredEntry[] | undefined) => void (chunk && cuts.push(chunk));
  for (const each of layout === 'keyed' ? entries.toSorted(bySubject) : entries) keep(cutter.add(each));
  keep(cutter.end());
  expect(cuts.flat().length).toBe(entries.length);
  return cuts.map((chunk) => encodeEntries(chunk).toString('base64'));
}

describe('entries of a backup', () => {
  it('come back as they were, whatever bytes and headers they have', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), (entries) => {
        const back = decodeEntries(encodeEntries(entries));
        expect(back.map(({ body, ...rest }) => ({ ...rest, body: [...body] }))).toEqual(
          entries.map(({ body, ...rest }) => ({ ...rest, body: [...body] })),
        );
      }),
    );
  });

  it('are cut so that one that changes, comes or goes changes at most two chunks', () => {
    fc.assert(
      fc.property(fc.nat(999), fc.constantFrom('change', 'come', 'go'), (at, what) => {
        const before = keysOf(1_000);
        const after = before.flatMap((each, n) => {
          if (n !== at) return [each];
          if (what === 'go') return [];
          if (what === 'come') return [each, { ...each, subject: `${each.subject}x`, sequence: 5_000 }];
          return [{ ...each, sequence: 5_000, body: Buffer.from('{}') }];
        });
        const known = new Set(chunksOf(before, 'keyed'));
        const fresh = chunksOf(after, 'keyed').filter((chunk) => !known.has(chunk));
        expect(known.size).toBeGreaterThan(5);
        expect(fresh.length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 30 },
    );
  });

  it('of a log are cut by sequence: what was there before stays, whatever comes behind or has expired', () => {
    const log = keysOf(1_000);
    const known = new Set(chunksOf(log, 'log'));
    const later = chunksOf([...log.slice(256), ...keysOf(1_100).slice(1_000)], 'log');
    // At the head what has not expired, at the tail what has grown, and what is new.
    expect(later.filter((chunk) => !known.has(chunk)).length).toBeLessThanOrEqual(3);
  });
});
