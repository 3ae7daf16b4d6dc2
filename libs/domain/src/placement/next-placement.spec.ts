import { describe, expect, it } from '@jest/globals';
import { cloud, NOW, site, workload } from './example-cloud.suite.js';
import { nextPlacement, reviewAt, type NextPlacementInput } from './next-placement.js';

const DIGESTS = { workload: `sha256:${'1'.repeat(64)}`, sites: `sha256:${'2'.repeat(64)}` };

function input(more: Partial<NextPlacementInput> = {}): NextPlacementInput {
  return {
    workload: workload(),
    previous: undefined,
    refusals: new Map(),
    snapshot: cloud([site({ name: 'a' }), site({ name: 'b' })]),
    now: NOW,
    term: 1,
    epoch: 7,
    inputs: () => DIGESTS,
    ...more,
  };
}

/** The placement of a fresh workload at site `a`. */
function placed() {
  const placement = nextPlacement(input());
  if (!placement) throw new Error('nothing was decided');
  return placement;
}

describe('nextPlacement', () => {
  it('says what was decided, by whom it may be written, and from which inputs', () => {
    expect(placed()).toMatchObject({
      version: { term: 1, generation: 1, revision: 1 },
      state: 'placed',
      shares: [{ site: 'a', replicas: 1 }],
      epoch: 7,
      inputs: DIGESTS,
      requestId: 'request-1',
    });
  });

  it('says nothing while what is placed stands, even when a better site has come', () => {
    const snapshot = cloud([site({ name: 'a', cpuCoreMonth: 500 }), site({ name: 'b' })]);
    expect(nextPlacement(input({ previous: placed(), snapshot }))).toBeUndefined();
  });

  it('decides again when a check of a share fails, with a version that is newer', () => {
    const snapshot = cloud([site({ name: 'a', membership: 'leaving' }), site({ name: 'b' })]);
    expect(nextPlacement(input({ previous: placed(), snapshot }))).toMatchObject({
      version: { term: 1, generation: 1, revision: 2 },
      shares: [{ site: 'b' }],
    });
  });

  it('decides again for a new generation and for a new term of the hub, and keeps what runs where it is', () => {
    const next = { ...workload(), generation: 2 };
    expect(nextPlacement(input({ previous: placed(), workload: next }))).toMatchObject({
      version: { term: 1, generation: 2, revision: 2 },
      shares: [{ site: 'a' }],
    });
    expect(nextPlacement(input({ previous: placed(), term: 2 }))).toMatchObject({
      version: { term: 2, generation: 1, revision: 2 },
      shares: [{ site: 'a' }],
    });
  });

  it('leaves the revision of a share that stays as it is, so that its site is told nothing anew', () => {
    const asked = workload({ rules: { replicas: 2, distinct: 'site' } });
    const sites = (b: 'ready' | 'lost') =>
      cloud([site({ name: 'a' }), site({ name: 'b', phase: b }), site({ name: 'c' })]);
    const first = nextPlacement(input({ workload: asked, snapshot: sites('ready') }));
    const second = nextPlacement(input({ workload: asked, snapshot: sites('lost'), previous: first }));
    const revisions = (p: typeof first) => p?.shares.map((s) => [s.site, s.revision, p.version.revision]);
    expect(revisions(first)).toEqual([
      ['a', undefined, 1],
      ['b', undefined, 1],
    ]);
    expect(revisions(second)).toEqual([
      ['a', 1, 2],
      ['c', undefined, 2],
      ['b', 1, 2],
    ]);
    // Of another generation everybody is told.
    const third = nextPlacement(
      input({ workload: { ...asked, generation: 2 }, snapshot: sites('lost'), previous: second }),
    );
    expect(third?.shares.map((s) => s.revision)).toEqual([undefined, undefined, undefined]);
  });

  it('says that it cannot be placed once, and again only when the reasons change', () => {
    const none = cloud([site({ name: 'a', cordoned: true })]);
    const previous = nextPlacement(input({ snapshot: none }));
    expect(previous).toMatchObject({ state: 'unplaceable', failedChecks: { cordon: 1 } });
    expect(nextPlacement(input({ snapshot: none, previous }))).toBeUndefined();
    const lost = cloud([site({ name: 'a', phase: 'lost' })]);
    expect(nextPlacement(input({ snapshot: lost, previous }))).toMatchObject({
      failedChecks: { readiness: 1 },
    });
  });

  it('wants nothing of what is stopped or removed, and says so once', () => {
    for (const state of ['stopped', 'removed'] as const) {
      const ended = { ...workload(), generation: 2, [state]: true };
      const next = nextPlacement(input({ previous: placed(), workload: ended }));
      expect(next).toMatchObject({ state, shares: [], wanted: 0, version: { generation: 2, revision: 2 } });
      expect(nextPlacement(input({ previous: next, workload: ended }))).toBeUndefined();
    }
  });
});

describe('reviewAt', () => {
  it('is when the patience with a lost site ends', () => {
    const patient = workload({ rules: { onSiteLoss: { replaceAfterMs: 60_000 } } });
    const { sites } = cloud([site({ name: 'a', phase: 'lost' }), site({ name: 'b', phase: 'lost' })]);
    expect(reviewAt(patient, [{ site: 'a' }], { sites }, NOW)).toBe(NOW + 60_000);
    expect(reviewAt(patient, [{ site: 'a' }], { sites }, NOW + 60_000)).toBe(Number.POSITIVE_INFINITY);
    expect(reviewAt(patient, [], { sites }, NOW)).toBe(Number.POSITIVE_INFINITY);
  });
});
