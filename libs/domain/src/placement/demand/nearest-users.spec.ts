import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { cloud, site } from '../example-cloud.suite.js';
import { SiteIndex } from '../site-index.js';
import { NearestUsers } from './nearest-users.js';
import { Users } from './users.js';

const lat = fc.integer({ min: -80, max: 80 });
const lon = fc.integer({ min: -180, max: 180 });
const users = fc.array(fc.record({ lat, lon, weight: fc.constant(1) }), { minLength: 1, maxLength: 60 });
const places = fc.array(fc.record({ lat, lon, isMeasured: fc.boolean() }), { minLength: 1, maxLength: 6 });

describe('the nearest users', () => {
  it('are those with the shortest round trip of all, measured or estimated', () => {
    fc.assert(
      fc.property(users, places, fc.boolean(), (points, of, areMeasured) => {
        const { sites } = cloud(
          of.map(({ isMeasured, ...at }, i) =>
            site({ ...at, name: `s${i}`, rttMs: isMeasured ? { s0: 3 + i } : {} }),
          ),
        );
        const index = SiteIndex.of(sites);
        // One of them at a site that others have measured.
        const { lat: y = 0, lon: x = 0 } = of[0] ?? {};
        const demand = [...points, { lat: y, lon: x, weight: 1 }].map((point, i) => ({
          label: `users ${i}`,
          ...point,
        }));
        const measured = areMeasured ? demand.map((_, i) => new Map([['s0', 100 - i]])) : undefined;
        const all = new Users(demand, index, measured);
        const nearest = new NearestUsers(all, index);
        for (const at of sites.keys()) {
          const row = all.row(at);
          const ms = Math.min(...row.ms);
          expect(nearest.msTo(at)).toBe(ms);
          const { point, ...found } = nearest.to(at);
          expect(found).toEqual({ ms, measured: row.measured[point] === 1 });
          expect(row.ms[point]).toBe(ms);
        }
      }),
      { numRuns: 200 },
    );
  });
});
