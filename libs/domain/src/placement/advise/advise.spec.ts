import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { PLACES } from '../example-cloud.suite.js';
import { distanceKm, estimatedRttMs, positionOf } from '../geo.js';
import { advise } from './advise.js';
import type { AdviceRequest, SiteProspect } from './prospects.js';

const prospect = (
  name: string,
  at: { lat: number; lon: number },
  more: Partial<SiteProspect> = {},
): SiteProspect => ({
  name,
  ...at,
  jurisdictions: [],
  costPerMonth: 0,
  egressGiB: 0,
  rttMs: {},
  ...more,
});
const users = (label: string, at: { lat: number; lon: number }, weight = 1) => ({ label, ...at, weight });
const request = (more: Partial<AdviceRequest>): AdviceRequest => ({
  prospects: [
    prospect('fra', PLACES.frankfurt),
    prospect('iad', PLACES.washington),
    prospect('tok', PLACES.tokyo),
  ],
  users: [
    users('Berlin', PLACES.berlin, 3),
    users('Osaka', PLACES.osaka, 2),
    users('Washington', PLACES.washington, 1),
  ],
  maxSites: 2,
  egressGiBMonth: 0,
  ...more,
});
const namesOf = (advised: { sites: readonly { name: string }[] } | undefined) =>
  advised?.sites.map(({ name }) => name);

describe('advise', () => {
  it('opens the sites nearest to the users, and says what each number of sites and one more would give', () => {
    const { chosen, curve, next, rejected } = advise(request({}));
    expect(namesOf(chosen)).toEqual(['fra', 'tok']);
    expect(curve.map(({ sites }) => sites.length)).toEqual([1, 2]);
    expect(namesOf(next)).toEqual(['fra', 'iad', 'tok']);
    expect(next?.meanMs).toBeLessThan(chosen?.meanMs ?? 0);
    expect(rejected).toEqual([]);
  });

  it('counts the mean by weight, and the 95th percentile as what 95 of 100 users do not exceed', () => {
    const at = (lat: number) =>
      estimatedRttMs(distanceKm(positionOf({ lat: 0, lon: 0 }), positionOf({ lat, lon: 0 })));
    const spread = (far: number) =>
      advise(
        request({
          prospects: [prospect('null', { lat: 0, lon: 0 })],
          users: [users('near', { lat: 10, lon: 0 }, 100 - far), users('far', { lat: 60, lon: 0 }, far)],
        }),
      ).chosen;
    expect(spread(5)?.p95Ms).toBeCloseTo(at(10), 4);
    expect(spread(6)?.p95Ms).toBeCloseTo(at(60), 4);
    expect(spread(5)?.meanMs).toBeCloseTo(0.95 * at(10) + 0.05 * at(60), 4);
  });

  it('takes round trips that were measured between users and sites, and says how many users they speak for', () => {
    const measuredMs = [
      new Map([
        ['fra', 300],
        ['iad', 7],
        ['tok', 300],
      ]),
      undefined,
      undefined,
    ];
    const { chosen } = advise(request({ measuredMs, maxSites: 1 }));
    expect(namesOf(chosen)).toEqual(['iad']);
    // Berlin by its own measurement, Washington by being there.
    expect(chosen?.measuredShare).toBeCloseTo(4 / 6, 9);
  });

  it('opens a further site only where it gains more than it costs', () => {
    const prospects = request({}).prospects.map((p) => ({ ...p, costPerMonth: 1_000 }));
    expect(namesOf(advise(request({ prospects })).chosen)).toHaveLength(1);
    const dear = advise(request({ prospects, weights: { perLatencyMs: 1_000, perPrice: 1 } }));
    expect(namesOf(dear.chosen)).toEqual(['fra', 'tok']);
    expect(dear.chosen?.costPerMonth).toBe(2_000);
  });

  it('prices what is sent to users by where it is sent from', () => {
    const prospects = [
      prospect('dear', PLACES.berlin, { egressGiB: 0.1 }),
      prospect('cheap', PLACES.frankfurt),
    ];
    const one = { prospects, users: [users('Berlin', PLACES.berlin)], maxSites: 1 };
    expect(namesOf(advise(request(one)).chosen)).toEqual(['dear']);
    const much = advise(request({ ...one, egressGiBMonth: 1_000 }));
    expect(namesOf(much.chosen)).toEqual(['cheap']);
  });

  it('opens no site under a law that is not allowed, and says why', () => {
    const prospects = [
      prospect('fra', PLACES.frankfurt, { jurisdictions: ['eu'] }),
      prospect('iad', PLACES.washington, { jurisdictions: ['us'] }),
    ];
    const { chosen, curve, next, rejected } = advise(request({ prospects, residency: { deny: ['us'] } }));
    expect(namesOf(chosen)).toEqual(['fra']);
    expect([curve.length, next]).toEqual([1, undefined]);
    expect(rejected).toMatchObject([{ site: 'iad', failed: { check: 'residency' } }]);
    const nowhere = advise(request({ prospects, residency: { allow: ['jp'] } }));
    expect([nowhere.chosen, nowhere.curve]).toEqual([undefined, []]);
  });

  const place = fc.record({
    lat: fc.double({ min: -90, max: 90, noNaN: true }),
    lon: fc.double({ min: -180, max: 180, noNaN: true }),
  });
  it('finds the best of all sets of three, or one at most 1 % worse, whatever the order', () => {
    fc.assert(
      fc.property(
        fc.array(place, { minLength: 4, maxLength: 9 }),
        fc.array(place, { minLength: 1, maxLength: 12 }),
        (sites, people) => {
          const prospects = sites.map((at, i) => prospect(`s${i}`, at));
          const asked = request({
            prospects,
            users: people.map((at, i) => users(`u${i}`, at, i + 1)),
            maxSites: 3,
          });
          const { curve } = advise(asked);
          const third = curve[2];
          expect(third?.meanMs).toBeLessThanOrEqual(bestMeanOfThree(asked) * 1.01 + 1e-9);
          const reversed = advise({ ...asked, prospects: prospects.toReversed() });
          expect(reversed.curve).toEqual(curve);
        },
      ),
      { numRuns: 40, seed: 20_261_122 },
    );
  });
});

/** The least mean of all sets of three, by trying each. */
function bestMeanOfThree({ prospects, users: people }: AdviceRequest): number {
  const ms = prospects.map((site) =>
    people.map((user) => estimatedRttMs(distanceKm(positionOf(site), positionOf(user)))),
  );
  const total = people.reduce((sum, { weight }) => sum + weight, 0);
  let best = Number.POSITIVE_INFINITY;
  for (let a = 0; a < ms.length; a += 1) {
    for (let b = a + 1; b < ms.length; b += 1) {
      for (let c = b + 1; c < ms.length; c += 1) {
        const mean = people.reduce((sum, { weight }, p) => {
          return sum + (weight / total) * Math.min(...[a, b, c].map((i) => ms[i]?.[p] ?? 0));
        }, 0);
        best = Math.min(best, mean);
      }
    }
  }
  return best;
}
