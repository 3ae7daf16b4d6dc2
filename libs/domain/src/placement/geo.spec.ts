import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { distanceKm, estimatedRttMs, positionOf, rttMsOfSquaredChord } from './geo.js';

const place = fc.record({
  lat: fc.double({ min: -90, max: 90, noNaN: true }),
  lon: fc.double({ min: -180, max: 180, noNaN: true }),
});

describe('estimated round trips', () => {
  it('are looked up within a ten-thousandth of a millisecond, from the same place to the antipode', () => {
    const check = (from: { lat: number; lon: number }, to: { lat: number; lon: number }) => {
      const [a, b] = [positionOf(from), positionOf(to)];
      const squared = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
      const difference = rttMsOfSquaredChord(squared) - estimatedRttMs(distanceKm(a, b));
      expect(Math.abs(difference)).toBeLessThan(0.0001);
    };
    fc.assert(fc.property(place, place, check));
    const nudge = fc.double({ min: -30, max: 30, noNaN: true });
    fc.assert(
      fc.property(place, nudge, (from, by) => {
        check(from, { lat: -from.lat, lon: from.lon + 180 + by });
        check(from, { lat: from.lat, lon: from.lon + by });
      }),
    );
  });

  it('are as near as that where the table bends most', () => {
    for (let chord = 1.7; chord <= 2; chord += 0.000_1) {
      const exactly = estimatedRttMs(2 * 6_371 * Math.asin(chord / 2));
      expect(Math.abs(rttMsOfSquaredChord(chord * chord) - exactly)).toBeLessThan(0.000_1);
    }
  });

  it('are never less for a longer way', () => {
    const chord = fc.double({ min: 0, max: 4, noNaN: true });
    fc.assert(
      fc.property(chord, chord, (a, b) => {
        expect(rttMsOfSquaredChord(Math.max(a, b)) + 1e-9).toBeGreaterThanOrEqual(
          rttMsOfSquaredChord(Math.min(a, b)),
        );
      }),
    );
    expect(rttMsOfSquaredChord(4 + 1e-12)).toBeCloseTo(rttMsOfSquaredChord(4), 6);
  });
});
