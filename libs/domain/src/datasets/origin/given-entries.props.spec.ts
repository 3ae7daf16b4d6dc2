import { describe, expect, it } from '@jest/globals';
import type { LogItem } from '@skerry/contracts';
import * as fc from 'fast-check';
import { following, spanOf } from '../logs/continuity.js';
import { entriesGivenIn } from './index.js';

const RUNS = { numRuns: 200, seed: 20_261_122 };
const AREAS = ['eu', 'us'];
/** Sites are named after their area; one has none. */
const areaOf = (origin: string) => AREAS.find((area) => origin.startsWith(area));
const originOf = fc.constantFrom('eu', 'eu2', 'us', 'sea').map((site) => `${site}.0000000000000001`);

const itemOf: fc.Arbitrary<LogItem> = fc
  .record({
    origin: originOf,
    number: fc.integer({ min: 1, max: 9 }),
    gap: fc.boolean(),
    object: fc.boolean(),
  })
  .map(({ origin, number, gap, object }) => {
    if (gap) return { gap: { origin, from: number, to: number } };
    const value = object
      ? JSON.stringify({ city: origin, name: `secret of ${origin}` })
      : `secret of ${origin}`;
    return { origin, number, at: number, value };
  });

describe('what an area is given of a log', () => {
  it('is all of its own in its order, and nothing of another area, not even that there is something', () => {
    fc.assert(
      fc.property(fc.array(itemOf), fc.constantFrom(...AREAS), (items, area) => {
        const given = entriesGivenIn({ among: AREAS, elsewhere: 'nothing' }, area, { items, areaOf });
        expect(given).toEqual(items.filter((item) => areaOf(spanOf(item).origin) === area));
      }),
      RUNS,
    );
  });

  it('has of other areas the kept fields alone, of entries that have them, and says whose they are', () => {
    fc.assert(
      fc.property(fc.array(itemOf), fc.constantFrom(...AREAS), (items, area) => {
        const rule = { among: AREAS, elsewhere: { keep: ['city'] } };
        for (const item of entriesGivenIn(rule, area, { items, areaOf })) {
          const { origin } = spanOf(item);
          if (areaOf(origin) === area) continue;
          expect(item).toMatchObject({ area: areaOf(origin), value: JSON.stringify({ city: origin }) });
          expect(origin).not.toContain('sea');
        }
      }),
      RUNS,
    );
  });

  it('is never given of what is sealed, and leaves no gaps where something of another area is withheld', () => {
    const us = (number: number, value: string): LogItem => ({
      origin: 'us.0000000000000001',
      number,
      at: 1,
      value,
    });
    const sealed = { key: 'ab'.repeat(16), box: 'AAAA' };
    const items = [
      us(1, 'text'),
      { ...us(2, ''), sealed },
      us(3, '{"city":"Ohio"}'),
      us(4, 'text'),
      us(6, '{"city":1}'),
    ];
    const rule = { among: AREAS, elsewhere: { keep: ['city'] } };
    const given = entriesGivenIn(rule, 'eu', { items, areaOf });
    expect(given).toHaveLength(2);
    expect(following({}, given, { fresh: false }).items).toEqual(given);
  });
});
