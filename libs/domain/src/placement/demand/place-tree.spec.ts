import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { PlaceTree } from './place-tree.js';

const coordinate = fc.oneof(
  fc.double({ min: -1, max: 1, noNaN: true }),
  // Few values, so that many places are alike.
  fc.integer({ min: -2, max: 2 }).map((n) => n / 2),
);
const place = fc.tuple(coordinate, coordinate, coordinate);

describe('the tree of places', () => {
  it('finds what a look at each place finds, of equally near ones the first', () => {
    fc.assert(
      fc.property(
        fc.array(place, { maxLength: 120 }),
        fc.array(place, { minLength: 1, maxLength: 20 }),
        (places, from) => {
          const [x, y, z] = ([0, 1, 2] as const).map((axis) => Float64Array.from(places, (p) => p[axis]));
          const tree = new PlaceTree(
            x ?? new Float64Array(),
            y ?? new Float64Array(),
            z ?? new Float64Array(),
          );
          for (const [px, py, pz] of from) {
            const away = places.map(([a, b, c]) => (a - px) ** 2 + (b - py) ** 2 + (c - pz) ** 2);
            const squared = Math.min(Number.POSITIVE_INFINITY, ...away);
            expect(tree.nearest(px, py, pz)).toEqual({ place: away.indexOf(squared), squared });
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('finds the only place, and none where there is none', () => {
    const one = Float64Array.of(0.5);
    expect(new PlaceTree(one, one, one).nearest(0.5, 0.5, 0.5)).toEqual({ place: 0, squared: 0 });
    const none = new Float64Array();
    expect(new PlaceTree(none, none, none).nearest(0, 0, 0).place).toBe(-1);
  });
});
