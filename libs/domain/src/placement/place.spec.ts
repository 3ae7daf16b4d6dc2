import { describe, expect, it } from '@jest/globals';
import { cloud, fourSites, NOW, PLACES, request, site, workload } from './example-cloud.suite.js';
import { lint } from './lint.js';
import { place } from './place.js';
import type { Decision } from './types.js';

const where = (d: Decision) => Object.fromEntries(d.shares.map((s) => [s.site, s.replicas]));
const germanyAndJapan = [
  { ...PLACES.berlin, weight: 5 },
  { ...PLACES.hamburg, weight: 2 },
  { ...PLACES.tokyo, weight: 3 },
  { ...PLACES.osaka, weight: 1 },
];

describe('place', () => {
  it('puts replicas near users in Germany and Japan', () => {
    const decision = place(
      request(workload({ rules: { replicas: 2 }, users: germanyAndJapan })),
      cloud(fourSites()),
    );
    expect(where(decision)).toEqual({ 'eu-de': 1, 'jp-tok': 1 });
    expect(decision.shares.map((s) => s.why)).toEqual(['nearest to 64% of users', 'nearest to 36% of users']);
    expect(decision.state).toBe('placed');
    expect(decision.costPerMonth).toBe(42);
    expect(decision.latencyMs).toBeLessThan(20);
  });

  it('keeps to the European Union when residency says so, wherever the users are', () => {
    const asked = workload({
      rules: { replicas: 2, residency: { allow: ['eu'] } },
      users: [{ ...PLACES.tokyo, weight: 1 }],
    });
    const decision = place(request(asked), cloud(fourSites()));
    expect(decision.shares.every((s) => ['eu-de', 'edge'].includes(s.site))).toBe(true);
    expect(decision.failedChecks).toEqual({ residency: 2 });
  });

  it('names the one site that the law leaves', () => {
    const asked = workload({ rules: { residency: { allow: ['jp'] } } });
    const decision = place(request(asked), cloud(fourSites()));
    expect(decision.shares).toMatchObject([{ site: 'jp-tok', why: 'only site in jp' }]);
  });

  it('says of every site what it fails when nothing fits', () => {
    const asked = workload({ rules: { residency: { allow: ['eu'] } }, cpuMillicores: 64_000 });
    const decision = place(request(asked), cloud(fourSites()));
    expect(decision.state).toBe('unplaceable');
    expect(decision.shares).toEqual([]);
    expect(decision.failedChecks).toEqual({ capacity: 2, residency: 2 });
    expect(decision.rejected.map((r) => [r.site, r.failed.check])).toEqual([
      ['edge', 'capacity'],
      ['eu-de', 'capacity'],
      ['jp-tok', 'residency'],
      ['us-east', 'residency'],
    ]);
    expect(decision.rejected[0]?.failed).toMatchObject({ has: 'room for 0 of 1 on 1 nodes', ok: false });
  });

  it('places what fits and says what stops the rest', () => {
    const decision = place(
      request(workload({ rules: { replicas: 9 } })),
      cloud([site({ name: 'a' }), site({ name: 'b', cpuMillicores: 3_000 })]),
    );
    expect(where(decision)).toEqual({ a: 4, b: 3 });
    expect(decision.state).toBe('partial');
    expect(decision.failedChecks).toEqual({ capacity: 2 });
  });

  it('does not let the sum over nodes hide that no node has room', () => {
    const fragmented = site({ name: 'a', nodes: 100, cpuMillicores: 500 });
    expect(place(request(workload()), cloud([fragmented])).state).toBe('unplaceable');
  });

  it('takes the cheapest site with room when no users are given', () => {
    const snapshot = cloud([
      site({ name: 'dear', cpuCoreMonth: 50 }),
      site({ name: 'cheap', cpuCoreMonth: 5 }),
    ]);
    const decision = place(request(workload()), snapshot);
    expect(decision.shares).toMatchObject([{ site: 'cheap', why: 'cheapest with room' }]);
    expect(decision.runnerUp).toMatchObject({ site: 'dear', insteadOf: 'cheap' });
  });

  it('balances over equal sites by how full they are', () => {
    const snapshot = cloud([site({ name: 'a' }), site({ name: 'b' })]);
    snapshot.ledger.hold('default.other', workload().spec.resources, [{ site: 'a', replicas: 1 }]);
    expect(where(place(request(workload()), snapshot))).toEqual({ b: 1 });
  });

  it('breaks ties by name', () => {
    const snapshot = cloud([site({ name: 'b' }), site({ name: 'a' })]);
    expect(where(place(request(workload()), snapshot))).toEqual({ a: 1 });
  });

  it('leaves what runs where it is unless a move gains more than it costs', () => {
    const snapshot = cloud([
      site({ name: 'a', cpuCoreMonth: 12 }),
      site({ name: 'b', cpuCoreMonth: 5 }),
      site({ name: 'c', cpuCoreMonth: 40 }),
    ]);
    const at = (name: string) => request(workload(), { present: new Map([[name, 1]]) });
    expect(where(place(at('a'), snapshot))).toEqual({ a: 1 });
    expect(where(place(at('c'), snapshot))).toEqual({ b: 1 });
  });

  it('keeps replicas at a suspect or cordoned site and adds none', () => {
    for (const state of [{ phase: 'suspect' as const }, { cordoned: true }]) {
      const snapshot = cloud([site({ name: 'a', ...state }), site({ name: 'b', cpuCoreMonth: 100 })]);
      const asked = request(workload({ rules: { replicas: 3 } }), { present: new Map([['a', 2]]) });
      expect(where(place(asked, snapshot))).toEqual({ a: 2, b: 1 });
    }
  });

  it('replaces the replicas of a lost site, after the time the workload gives it', () => {
    const lost = site({ name: 'a', phase: 'lost', since: new Date(NOW - 1_000).toISOString() });
    const snapshot = cloud([lost, site({ name: 'b' })]);
    const present = new Map([['a', 1]]);
    expect(where(place(request(workload(), { present }), snapshot))).toEqual({ b: 1 });
    const patient = workload({ rules: { onSiteLoss: { replaceAfterMs: 60_000 } } });
    expect(where(place(request(patient, { present }), snapshot))).toEqual({ a: 1 });
    expect(where(place(request(patient, { present, now: NOW + 60_000 }), snapshot))).toEqual({ b: 1 });
    // What inventory's clock says of it does not shorten that: it may be behind by as much.
    const state = lost.state && { ...lost.state, silentSince: new Date(NOW).toISOString() };
    const behind = { ...snapshot, sites: [{ ...lost, state }, site({ name: 'b' })] };
    expect(where(place(request(patient, { present, now: NOW + 59_999 }), behind))).toEqual({ a: 1 });
    expect(where(place(request(patient, { present, now: NOW + 60_000 }), behind))).toEqual({ b: 1 });
  });

  it('takes nothing to a site that is pending, leaving or without a driver', () => {
    const bare = site({ name: 'c' });
    const snapshot = cloud([
      site({ name: 'a', membership: 'pending' }),
      site({ name: 'b', membership: 'leaving' }),
      { ...bare, state: bare.state && { ...bare.state, capacity: { ...bare.state.capacity, drivers: [] } } },
      { ...site({ name: 'd' }), state: undefined },
    ]);
    expect(place(request(workload()), snapshot).failedChecks).toEqual({
      membership: 2,
      driver: 1,
      readiness: 1,
    });
  });

  it('needs every required label, and prefers the others', () => {
    const snapshot = cloud([
      site({ name: 'a', labels: { gpu: 'no', tier: 'gold' } }),
      site({ name: 'b', labels: { gpu: 'yes' } }),
      site({ name: 'c', labels: { gpu: 'yes', tier: 'gold' } }),
    ]);
    const rules = { sites: { required: { gpu: ['yes', 'maybe'] }, preferred: { tier: 'gold' } } };
    const decision = place(request(workload({ rules })), snapshot);
    expect(decision.shares).toMatchObject([{ site: 'c', why: 'has the preferred labels' }]);
    expect(decision.rejected).toMatchObject([{ site: 'a', failed: { remedy: 'label a gpu=yes' } }]);
  });

  it('does not let an operator label stand for the name, kind or provider of a site', () => {
    const snapshot = cloud([site({ name: 'a', labels: { name: 'b', provider: 'trusted' } })]);
    const rules = { sites: { required: { provider: 'trusted' } } };
    expect(place(request(workload({ rules })), snapshot).state).toBe('unplaceable');
  });

  it('goes round a site that refused', () => {
    const refusals = new Map([['a', { check: 'memory', ok: false, has: '1 MiB', needs: '64 MiB' }]]);
    const decision = place(
      request(workload(), { refusals }),
      cloud([site({ name: 'a' }), site({ name: 'b' })]),
    );
    expect(where(decision)).toEqual({ b: 1 });
    expect(decision.rejected).toMatchObject([{ failed: { check: 'refused', needs: '64 MiB' } }]);
  });

  it('spreads evenly over the groups of a label, and stops when a group can take no more', () => {
    const snapshot = cloud([
      site({ name: 'a', labels: { zone: 'x' } }),
      site({ name: 'b', labels: { zone: 'x' } }),
      site({ name: 'c', labels: { zone: 'y' }, cpuMillicores: 2_000 }),
      site({ name: 'd' }),
    ]);
    const rules = { replicas: 6, spread: { over: 'zone', maxSkew: 1 } };
    const decision = place(request(workload({ rules })), snapshot);
    const zone = (names: string[]) =>
      decision.shares.filter((s) => names.includes(s.site)).reduce((sum, s) => sum + s.replicas, 0);
    expect([zone(['a', 'b']), zone(['c'])]).toEqual([3, 2]);
    expect(decision.state).toBe('partial');
    expect(decision.failedChecks).toEqual({ spread: 3, capacity: 1 });
  });

  it('stays within the budget, and takes cheaper sites rather than fewer replicas', () => {
    const snapshot = cloud([
      site({ name: 'near', ...PLACES.tokyo, cpuCoreMonth: 50 }),
      site({ name: 'far', ...PLACES.frankfurt, cpuCoreMonth: 10 }),
    ]);
    const users = [{ ...PLACES.tokyo, weight: 1 }];
    const rules = { replicas: 3, budgetPerMonth: 75 };
    const decision = place(request(workload({ rules, users })), snapshot);
    expect(where(decision)).toEqual({ near: 1, far: 2 });
    expect(decision.costPerMonth).toBe(70);
  });

  it('reads a measured round trip near a site, and marks what it only estimates', () => {
    const users = [{ ...PLACES.frankfurt, weight: 1 }];
    const only = (name: string) => workload({ users, rules: { sites: { required: { name } } } });
    const snapshot = cloud(fourSites());
    expect(place(request(only('jp-tok')), snapshot).shares).toMatchObject([
      { latencyMs: 235, measured: true },
    ]);
    const unknown = cloud([site({ name: 'jp-tok', ...PLACES.tokyo })]);
    const [share] = place(request(only('jp-tok')), unknown).shares;
    expect(share?.measured).toBe(false);
    expect(share?.latencyMs).toBeCloseTo(5 + 0.015 * 9_330, -1);
  });

  it('sees no edge of the world at the date line', () => {
    const users = [{ lat: 0, lon: 179, weight: 1 }];
    const snapshot = cloud([
      site({ name: 'far', lat: 0, lon: 150 }),
      site({ name: 'near', lat: 0, lon: -179 }),
    ]);
    expect(where(place(request(workload({ users })), snapshot))).toEqual({ near: 1 });
  });

  it('puts no more users on a replica than one and a half even shares', () => {
    const users = [{ ...PLACES.berlin, weight: 1 }];
    const snapshot = cloud([
      site({ name: 'a', ...PLACES.berlin, cpuMillicores: 1_000 }),
      site({ name: 'b', ...PLACES.frankfurt }),
    ]);
    const decision = place(request(workload({ users, rules: { replicas: 2 } })), snapshot);
    expect(decision.shares).toMatchObject([
      { site: 'a', demandShare: 0.75 },
      { site: 'b', demandShare: 0.25 },
    ]);
  });

  it('wants nothing for no replicas', () => {
    const decision = place(request(workload({ rules: { replicas: 0 } })), cloud(fourSites()));
    expect(decision).toMatchObject({ state: 'placed', shares: [], costPerMonth: 0, objective: 0 });
  });

  it('is unplaceable without sites', () => {
    expect(place(request(workload()), cloud([]))).toMatchObject({ state: 'unplaceable', failedChecks: {} });
  });

  it('finds both coasts among hundreds of sites', () => {
    const many = Array.from({ length: 400 }, (_, i) =>
      site({ name: `s${i}`, lat: 0.3 * (i % 20), lon: 60 + (i / 20) * 0.5 }),
    );
    const snapshot = cloud([
      ...many,
      site({ name: 'de', ...PLACES.frankfurt }),
      site({ name: 'jp', ...PLACES.tokyo }),
    ]);
    const decision = place(request(workload({ rules: { replicas: 2 }, users: germanyAndJapan })), snapshot);
    expect(where(decision)).toEqual({ de: 1, jp: 1 });
  });

  it('places ten thousand replicas with bounded work', () => {
    const big = fourSites().map((s) =>
      site({ name: s.name, ...s.site.location, cpuMillicores: 5_000_000, memoryMiB: 1e7 }),
    );
    const asked = request(workload({ rules: { replicas: 8_000 }, users: germanyAndJapan }));
    const decision = place(asked, cloud(big));
    expect(decision.state).toBe('placed');
    // An assignment holds 2,000 replicas at most.
    expect(where(decision)).toEqual({ 'eu-de': 2_000, 'us-east': 2_000, 'jp-tok': 2_000, edge: 2_000 });
    expect(lint(decision, asked, cloud(big))).toEqual([]);
  });
});
