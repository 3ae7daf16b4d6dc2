import { describe, expect, it } from '@jest/globals';
import { cloud, PLACES, request, site, workload } from '../example-cloud.suite.js';
import { explain } from '../explain.js';
import { lint } from '../lint.js';
import { place, work } from '../place.js';
import { UNPRUNED } from '../choose.js';
import type { Decision, Snapshot } from '../types.js';
import { quotasOf } from './set-rules.js';

const where = (d: Decision) => Object.fromEntries(d.shares.map((s) => [s.site, s.replicas]));
const both = [
  { ...PLACES.frankfurt, weight: 1 },
  { ...PLACES.tokyo, weight: 1 },
];
const twoCities = (cpuCoreMonth: number) =>
  cloud([
    site({ name: 'de', ...PLACES.frankfurt, cpuCoreMonth, provider: 'a' }),
    site({ name: 'jp', ...PLACES.tokyo, cpuCoreMonth, provider: 'b' }),
  ]);

/** Sites all over the globe, no two alike. */
function manySites(count: number): Snapshot {
  return cloud(
    Array.from({ length: count }, (_, i) =>
      site({
        name: `s${String(i).padStart(5, '0')}`,
        lat: ((i * 37) % 120) - 60,
        lon: ((i * 101) % 360) - 180,
        cpuCoreMonth: 5 + ((i * 13) % 29),
        cordoned: i % 50 === 0,
      }),
    ),
  );
}

describe('the search', () => {
  it('chooses how many replicas pay off within a range', () => {
    const asked = request(workload({ rules: { replicas: { min: 1, max: 2 } }, users: both }));
    // The second saves about 70 ms of the mean user.
    expect(where(place(asked, twoCities(20)))).toEqual({ de: 1, jp: 1 });
    expect(place(asked, twoCities(100)).shares).toHaveLength(1);
  });

  it('shares replicas by percentages, rounded by the largest remainder', () => {
    expect([...quotasOf({ a: 50, b: 30, '*': 20 }, 7)]).toEqual([
      ['*', 1],
      ['a', 4],
      ['b', 2],
    ]);
    expect([...quotasOf({ a: 33.34, b: 33.33, c: 33.33 }, 2).values()]).toEqual([1, 1, 0]);
    const rules = { replicas: 4, spread: { over: 'provider', targets: { a: 75, b: 25 } } };
    expect(where(place(request(workload({ rules, users: both })), twoCities(0)))).toEqual({ de: 3, jp: 1 });
  });

  it('places at most one replica for each value of a distinct label, and says so when more are wanted', () => {
    const snapshot = cloud(['a', 'a', 'b'].map((provider, i) => site({ name: `s${i}`, provider })));
    const decision = place(request(workload({ rules: { replicas: 3, distinct: 'provider' } })), snapshot);
    expect(decision.shares).toHaveLength(2);
    expect(decision.state).toBe('partial');
    expect(decision.failedChecks['distinct']).toBeGreaterThan(0);
  });

  it('puts no more in one site than the others could do without', () => {
    const rules = { replicas: 4, survive: { sites: 1 } };
    const users = [{ ...PLACES.frankfurt, weight: 1 }];
    const snapshot = cloud([
      site({ name: 'near', ...PLACES.frankfurt }),
      site({ name: 'mid', ...PLACES.washington }),
      site({ name: 'far', ...PLACES.tokyo }),
    ]);
    const asked = request(workload({ rules, users }));
    const decision = place(asked, snapshot);
    // Three replicas of headroom 1.5 are more than enough for four even shares, two are not.
    expect(Math.max(...decision.shares.map((s) => s.replicas))).toBe(1);
    expect(decision.state).toBe('partial');
    const roomy = place(
      request(workload({ rules: { ...rules, traffic: { headroom: 2 } }, users })),
      snapshot,
    );
    expect(where(roomy)).toEqual({ near: 2, mid: 1, far: 1 });
    expect(roomy.state).toBe('placed');
  });

  it('serves as many users as it can within the latency ceiling, and says who is left', () => {
    const snapshot = twoCities(0);
    const rules = { replicas: 1, maxLatencyMs: 50 };
    const users = [
      { ...PLACES.frankfurt, weight: 3 },
      { ...PLACES.tokyo, weight: 1 },
    ];
    const asked = request(workload({ rules, users }));
    const decision = place(asked, snapshot);
    expect(where(decision)).toEqual({ de: 1 });
    expect(decision).toMatchObject({ state: 'partial', failedChecks: { latency: 1 } });
    expect(decision.rejected[0]?.failed.has).toBe('25.0 % of the users are served from farther');
    expect(lint(decision, asked, snapshot)).toEqual([]);
    expect(place(request(workload({ rules: { ...rules, replicas: 2 }, users })), snapshot).state).toBe(
      'placed',
    );
  });

  it('puts replicas where the users are in proportion, by what each carries', () => {
    const users = [
      { ...PLACES.frankfurt, weight: 8 },
      { ...PLACES.tokyo, weight: 2 },
    ];
    const decision = place(request(workload({ rules: { replicas: 4 }, users })), twoCities(0));
    expect(where(decision)).toEqual({ de: 3, jp: 1 });
  });

  it('spreads over sites though most of them are not searched', () => {
    const snapshot = manySites(1_000);
    const asked = request(
      workload({ rules: { replicas: 5, spread: { over: 'site', maxSkew: 1 } }, users: both }),
    );
    const decision = place(asked, snapshot);
    expect(decision.shares.map((s) => s.replicas)).toEqual([1, 1, 1, 1, 1]);
  });

  it('explains ten thousand sites, and finds what the search over all of them finds', () => {
    const snapshot = manySites(10_000);
    const asked = request(workload({ rules: { replicas: 3 }, users: both }));
    const { decision, chosen } = work(asked, snapshot);
    expect(decision).toMatchObject({ state: 'placed', failedChecks: { cordon: 200 } });
    expect(lint(decision, asked, snapshot)).toEqual([]);
    const whole = work(asked, snapshot, UNPRUNED).chosen.objective;
    expect(chosen.objective).toBeLessThan(whole * 1.005);
    const sites = explain(asked, snapshot);
    expect(sites).toHaveLength(10_000);
    expect(sites.filter((s) => s.feasible).map((s) => s.rank)).toEqual(
      Array.from({ length: 9_800 }, (_, n) => n + 1),
    );
    expect(sites.at(-1)).toMatchObject({ feasible: false, terms: [] });
    expect(sites.at(-1)?.checks.filter((c) => !c.ok)).toMatchObject([
      { check: 'cordon', remedy: expect.any(String) },
    ]);
  });
});
