import { describe, expect, it } from '@jest/globals';
import type { RecordState } from '@skerry/contracts';
import { StateDigest } from '@skerry/domain';
import * as fc from 'fast-check';
import { CopyKeys } from './copy-keys.js';

const origins = fc.constantFrom('eu.00000000000000aa', 'jp.00000000000000bb', 'us-1.00000000000000cc');
const stamps = fc.tuple(fc.nat(8_640_000_000_000), fc.nat(65_535));
const values = fc.option(fc.string({ unit: 'binary' }), { nil: undefined });
const word = fc.record({ at: stamps, by: origins, value: values }).map(({ value, ...rest }) => ({
  ...rest,
  ...(value === undefined ? {} : { value }),
}));
const states: fc.Arbitrary<RecordState> = fc.oneof(
  word.map((w) => ({ rule: 'newest' as const, ...w })),
  fc.tuple(word, fc.integer({ min: 1, max: 9 })).map(([w, epoch]) => ({
    rule: 'single-writer' as const,
    epoch,
    ...w,
  })),
  fc.tuple(origins, fc.nat(1_000)).map(([by, n]) => {
    const counts: Record<string, [number, number]> = { [by]: [n, 0] };
    return { rule: 'counter' as const, counts };
  }),
);
const steps = fc.array(
  fc.record({ key: fc.constantFrom('a', 'b', 'ab', 'c'), own: fc.nat(100), state: fc.option(states) }),
);

describe('the keys of a copy', () => {
  it('hold what was put into them, with the digest of just that', () => {
    fc.assert(
      fc.property(steps, (done) => {
        const keys = new CopyKeys();
        const wanted = new Map<string, { own: number; state: RecordState }>();
        for (const { key, own, state } of done) {
          if (state === null) {
            keys.delete(key);
            wanted.delete(key);
          } else {
            keys.set(key, { own, state });
            wanted.set(key, { own, state });
          }
        }
        const digest = new StateDigest();
        for (const [key, { state }] of wanted) digest.change(key, undefined, state);
        expect(new Map(keys.all())).toEqual(wanted);
        for (const [key, held] of wanted) expect(keys.get(key)).toEqual(held);
        expect([keys.count, keys.root]).toEqual([wanted.size, digest.root()]);
        expect(keys.bytes > 0).toBe(wanted.size > 0);
      }),
    );
  });

  it('come in their order, page after page', () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 60 });
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 7 }), (all, limit) => {
        const keys = new CopyKeys();
        const state: RecordState = { rule: 'newest', at: [1, 0], by: 'eu.00000000000000aa', value: 'x' };
        for (const key of all) keys.set(key, { own: 0, state });
        const accepts = (key: string) => key !== 'no';
        const found: string[] = [];
        for (;;) {
          const page = keys.firstAfter({ after: found.at(-1) ?? '', limit, accepts });
          if (page.length === 0) break;
          found.push(...page);
        }
        expect(found).toEqual(all.filter(accepts).toSorted((a, b) => (a < b ? -1 : 1)));
      }),
    );
  });
});
