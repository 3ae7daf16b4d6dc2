import { describe, expect, it } from '@jest/globals';
import { cloud, NOW, request, site, workload, type Rules } from './example-cloud.suite.js';
import { lint } from './lint.js';
import { nextPlacement } from './next-placement.js';
import { place } from './place.js';
import { preempt } from './preempt.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const inputs = () => ({ workload: DIGEST, sites: DIGEST });

/** Sites `a` and `b` of 4 cores, and what holds them: name, priority, cores of a replica, replicas by site. */
function scene(...held: [name: string, priority: number, cores: number, at: Record<string, number>][]) {
  const snapshot = cloud([site({ name: 'a' }), site({ name: 'b' })]);
  for (const [name, priority, cores, at] of held) {
    const need = workload({ cpuMillicores: cores * 1_000 }).spec.resources;
    const shares = Object.entries(at).map(([where, replicas]) => ({ site: where, replicas }));
    snapshot.ledger.hold(`default.${name}`, need, shares, priority);
  }
  return snapshot;
}
const asked = (rules: Rules, cores = 1) =>
  request(workload({ rules: { priority: 10, preempts: true, ...rules }, cpuMillicores: cores * 1_000 }));
function taken(snapshot: ReturnType<typeof scene>, wants: ReturnType<typeof asked>) {
  const found = preempt(wants, snapshot, place(wants, snapshot));
  const broken = found ? lint(found.decision, wants, found.snapshot) : [];
  expect(broken).toEqual([]);
  return found?.decision.preempted?.map((p) => `${p.replicas} ${p.name} at ${p.site}`);
}

describe('preemption', () => {
  const full = () => scene(['low', 1, 1, { a: 4, b: 4 }]);

  it('is off by default, and never takes from equal or higher priority', () => {
    expect(taken(full(), asked({ preempts: false }))).toBeUndefined();
    expect(taken(full(), asked({ priority: 1 }))).toBeUndefined();
  });

  it('is not used while there is room', () => {
    expect(taken(scene(['low', 1, 1, { a: 4 }]), asked({}))).toBeUndefined();
  });

  it('takes no more than it needs', () => {
    expect(taken(full(), asked({ replicas: 3 }))).toEqual(['3 low at a']);
  });

  it('takes from the lowest priority first, wherever that is', () => {
    const mixed = scene(['mid', 5, 1, { a: 4 }], ['low', 1, 1, { b: 4 }]);
    expect(taken(mixed, asked({}))).toEqual(['1 low at b']);
  });

  it('takes one large rather than several small ones of the same priority', () => {
    const mixed = scene(['small', 1, 1, { a: 2 }], ['large', 1, 2, { a: 1 }], ['other', 9, 1, { b: 4 }]);
    expect(taken(mixed, asked({}, 2))).toEqual(['1 large at a']);
  });

  it('takes nothing when that would not place all of it', () => {
    expect(taken(full(), asked({ replicas: 9 }))).toBeUndefined();
    expect(taken(full(), asked({ sites: { required: { zone: 'x' } } }))).toBeUndefined();
  });

  it('does not change what holds the sites', () => {
    const snapshot = full();
    taken(snapshot, asked({}));
    expect(snapshot.ledger.heldBy('default.low')).toEqual([
      { site: 'a', replicas: 4 },
      { site: 'b', replicas: 4 },
    ]);
  });

  it('has the victim placed elsewhere, or told that it lacks room', () => {
    const snapshot = scene(['low', 1, 1, { a: 4 }], ['rest', 20, 1, { b: 3 }]);
    const low = workload({ name: 'low', rules: { replicas: 4, priority: 1 } });
    const base = { refusals: new Map(), now: NOW, term: 1, epoch: 1, inputs, snapshot };
    const first = nextPlacement({ ...base, workload: low, previous: undefined });
    const before = first && {
      ...first,
      state: 'placed' as const,
      shares: first.shares.map((s) => ({ ...s, site: 'a', replicas: 4 })),
    };
    const high = nextPlacement({ ...base, workload: asked({ replicas: 2 }).workload, previous: undefined });
    expect(high).toMatchObject({ state: 'placed', preempted: [{ name: 'low', site: 'a', replicas: 1 }] });
    snapshot.ledger.hold('default.low', low.spec.resources, [{ site: 'a', replicas: 3 }], 1);
    snapshot.ledger.hold('default.web', low.spec.resources, high?.shares ?? [], 10);
    const next = nextPlacement({ ...base, workload: low, previous: before, healthy: new Map([['a', 4]]) });
    expect(next).toMatchObject({ state: 'partial', wanted: 4, shares: [{ site: 'a', replicas: 3 }] });
  });
});
