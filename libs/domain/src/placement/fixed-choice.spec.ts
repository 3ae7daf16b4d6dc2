import { describe, expect, it } from '@jest/globals';
import type { Placement } from '@skerry/contracts';
import { cloud, NOW, request, site, workload, type SiteExample } from './example-cloud.suite.js';
import { OWNERSHIP_ENDED_AFTER_MS } from '../liveness/lease.js';
import { explain } from './explain.js';
import { lint } from './lint.js';
import { nextPlacement } from './next-placement.js';
import { place } from './place.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const inputs = () => ({ workload: DIGEST, sites: DIGEST });
const sites = (...examples: SiteExample[]) => cloud(examples.map((example) => site(example)));
const counts = (decision: { shares: readonly { site: string; replicas: number }[] } | undefined) =>
  Object.fromEntries((decision?.shares ?? []).map((s) => [s.site, s.replicas]));

describe('a daemon', () => {
  const daemon = (more: object = {}, rules = {}) =>
    workload({ name: 'watch', rules, more: { type: 'daemon', ...more } });

  it('runs once at every site that matches', () => {
    const snapshot = sites({ name: 'a' }, { name: 'b', jurisdictions: ['us'] }, { name: 'c', nodes: 3 });
    const asked = request(daemon({}, { residency: { deny: ['us'] } }));
    const decision = place(asked, snapshot);
    expect(decision).toMatchObject({ state: 'placed', wanted: 2 });
    expect(counts(decision)).toEqual({ a: 1, c: 1 });
    expect(lint(decision, asked, snapshot)).toEqual([]);
    const chosen = explain(asked, snapshot).map((s) => [s.site, s.chosen]);
    expect(Object.fromEntries(chosen)).toEqual({ a: 1, c: 1, b: 0 });
  });

  it('runs once for each node with per: node', () => {
    const snapshot = sites({ name: 'a', nodes: 3 }, { name: 'b', nodes: 2 });
    const decision = place(request(daemon({ daemon: { per: 'node' } })), snapshot);
    expect(counts(decision)).toEqual({ a: 3, b: 2 });
  });

  it('is partial where a matching site has no room, and says so', () => {
    const snapshot = sites({ name: 'a' }, { name: 'full', cpuMillicores: 500 });
    const decision = place(request(daemon()), snapshot);
    expect(decision).toMatchObject({ state: 'partial', wanted: 2, failedChecks: { capacity: 1 } });
    expect(decision.rejected[0]).toMatchObject({ site: 'full', failed: { check: 'capacity' } });
  });

  it('is unplaceable when no site matches', () => {
    const decision = place(request(daemon({}, { sites: { required: { zone: 'x' } } })), sites({ name: 'a' }));
    expect(decision).toMatchObject({ state: 'unplaceable', failedChecks: { labels: 1 } });
  });

  it('keeps to its budget', () => {
    const snapshot = sites(...['a', 'b', 'c'].map((name) => ({ name, cpuCoreMonth: 10 })));
    const asked = request(daemon({}, { budgetPerMonth: 25 }), { present: new Map([['c', 1]]) });
    const decision = place(asked, snapshot);
    expect(decision).toMatchObject({ state: 'partial', wanted: 3, costPerMonth: 20 });
    expect(counts(decision)).toEqual({ a: 1, c: 1 });
    expect(lint(decision, asked, snapshot)).toEqual([]);
  });

  it('comes to a site that joins later, and is left alone otherwise', () => {
    const base = { workload: daemon(), refusals: new Map(), now: NOW, term: 1, epoch: 1, inputs };
    const first = nextPlacement({ ...base, previous: undefined, snapshot: sites({ name: 'a' }) });
    expect(nextPlacement({ ...base, previous: first, snapshot: sites({ name: 'a' }) })).toBeUndefined();
    const joined = sites({ name: 'a' }, { name: 'b' });
    expect(counts(nextPlacement({ ...base, previous: first, snapshot: joined }))).toEqual({ a: 1, b: 1 });
  });

  it('stays at a site that is lost', () => {
    const snapshot = sites({ name: 'a', phase: 'lost' }, { name: 'b', phase: 'lost' });
    expect(
      counts(place(request(daemon(), { present: new Map([['a', 1]]), now: NOW + 1e9 }), snapshot)),
    ).toEqual({
      a: 1,
    });
  });
});

describe('a singleton', () => {
  const one = workload({
    name: 'lead',
    more: { type: 'singleton', run: { driver: 'mock', stop: { graceMs: 5_000 } } },
  });
  const previous = (snapshot: ReturnType<typeof sites>, at: string): Placement => {
    const base = { workload: one, refusals: new Map(), now: NOW, term: 1, epoch: 1, inputs, snapshot };
    const made = nextPlacement({ ...base, previous: undefined });
    const [share] = made?.shares ?? [];
    if (!made || !share) throw new Error('not placed');
    return { ...made, shares: [{ ...share, site: at }] };
  };
  const next = (snapshot: ReturnType<typeof sites>, before: Placement, generation = 1) =>
    nextPlacement({
      workload: { ...one, generation },
      refusals: new Map(),
      now: NOW,
      term: 1,
      epoch: 1,
      inputs,
      snapshot,
      previous: before,
    });

  it('is not moved by a mere gain, not even with a new generation', () => {
    const snapshot = sites({ name: 'cheap' }, { name: 'dear', cpuCoreMonth: 1_000 });
    expect(counts(next(snapshot, previous(snapshot, 'dear'), 2))).toEqual({ dear: 1 });
  });

  it('begins elsewhere only after it has ended where it was', () => {
    const snapshot = sites({ name: 'a', draining: true }, { name: 'b' });
    const moved = next(snapshot, previous(sites({ name: 'a' }, { name: 'b' }), 'a'));
    expect(moved).toMatchObject({ shares: [{ site: 'b' }], after: ['a'] });
  });

  it('at a lost site is replaced when that site must have stopped it by itself', () => {
    const heard = (agoMs: number) => new Date(NOW - agoMs).toISOString();
    const lost = (agoMs: number) => sites({ name: 'a', phase: 'lost', since: heard(agoMs) }, { name: 'b' });
    const before = previous(sites({ name: 'a' }, { name: 'b' }), 'a');
    expect(next(lost(OWNERSHIP_ENDED_AFTER_MS - 1), before)).toBeUndefined();
    expect(next(lost(OWNERSHIP_ENDED_AFTER_MS), before)).toMatchObject({ shares: [{ site: 'b' }] });
    expect(next(lost(OWNERSHIP_ENDED_AFTER_MS), before)?.after).toBeUndefined();
  });
});

it('what is sent to users counts for the budget', () => {
  const snapshot = sites({
    name: 'a',
    cpuCoreMonth: 10,
    more: { prices: { cpuCoreMonth: 10, egressGiB: 0.1 } },
  });
  const rules = { replicas: 3, budgetPerMonth: 35, traffic: { egressGiBMonth: 100 } };
  const asked = request(workload({ rules, users: [{ lat: 50, lon: 8, weight: 1 }] }));
  const decision = place(asked, snapshot);
  expect(decision.costPerMonth).toBe(30);
  expect(decision).toMatchObject({ state: 'partial', failedChecks: { budget: 1 } });
  expect(lint(decision, asked, snapshot)).toEqual([]);
});
