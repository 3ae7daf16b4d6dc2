import { acknowledges } from './acknowledged.js';
import { differences, type Delivered } from './differences.js';
import { placement, site, version, workload } from './examples.suite.js';
import { repair, wentBack } from './repair.js';
import { retirementOf } from './retirement.js';
import { wantedOf } from './wanted.js';

const AT = '2026-02-02T00:00:00.000Z';
const all = () => true;
const assigned = (generation: number, revision: number, sequence: number): Delivered => ({
  kind: 'Assignment',
  version: version(generation, revision),
  sequence,
});
const buried = (generation: number, revision: number, sequence: number): Delivered => ({
  ...assigned(generation, revision, sequence),
  kind: 'Tombstone',
});

function diff(
  shares: Record<string, number>,
  delivered: Record<string, Delivered>,
  change: { placement?: object; workload?: object; mayReceive?: (s: string) => boolean } = {},
) {
  const writes = differences({
    placement: placement(shares, change.placement),
    workload: workload(change.workload),
    delivered: new Map(Object.entries(delivered)),
    mayReceive: change.mayReceive ?? all,
    at: AT,
  });
  return writes?.map((w) => `${w.object.kind} ${w.object.site} after ${w.expected}`);
}

describe('what is wanted at sites', () => {
  it('is one complete assignment a share', () => {
    const [eu, us] = wantedOf(placement({ eu: 2, us: 1 }), workload()) ?? [];
    expect(eu).toMatchObject({ kind: 'Assignment', site: 'eu', replicas: 2, version: version(1, 1) });
    expect(us).toMatchObject({ site: 'us', replicas: 1, orphan: 'keep', type: 'service' });
    expect(eu?.run.command).toEqual(['true']);
  });

  it('has the version under which the site was told the same before', () => {
    const later = placement({ eu: 2, us: 1 }, { version: version(1, 5) });
    const shares = later.shares.map((s) => (s.site === 'us' ? { ...s, revision: 3 } : s));
    const versions = wantedOf({ ...later, shares }, workload())?.map((a) => a.version);
    expect(versions).toEqual([version(1, 5), version(1, 3)]);
    expect(
      diff({ eu: 2, us: 1 }, { us: assigned(1, 3, 8) }, { placement: { version: version(1, 5), shares } }),
    ).toEqual(['Assignment eu after 0']);
  });

  it('says what to do when the hub is not heard, and which leases cover a singleton', () => {
    const lost = (onSiteLoss: object, type: 'service' | 'singleton' = 'service') => {
      const asked = workload();
      const rules = {
        ...asked.spec.placement,
        onSiteLoss: { ...asked.spec.placement.onSiteLoss, ...onSiteLoss },
      };
      const owner = type === 'singleton' ? { owner: { site: 'eu', epoch: 4, losses: 2 } } : {};
      const spec = { ...asked.spec, type, placement: rules };
      return wantedOf(placement({ eu: 1 }, owner), { ...asked, spec })?.[0];
    };
    expect(lost({})).toMatchObject({ orphan: 'keep' });
    expect(lost({ orphan: 'stop' })).not.toHaveProperty('orphanStopAfterMs');
    expect(lost({ orphan: { stopAfterMs: 60_000 } })).toMatchObject({
      orphan: 'stop',
      orphanStopAfterMs: 60_000,
    });
    expect(lost({}, 'singleton')).toMatchObject({ orphan: 'stop', epoch: 4, losses: 2 });
    expect(lost({})).not.toHaveProperty('epoch');
  });

  it('is unknown while workload and placement are of different generations', () => {
    expect(wantedOf(placement({ eu: 1 }), workload({ generation: 2 }))).toBeUndefined();
    expect(wantedOf(placement({ eu: 1 }), undefined)).toBeUndefined();
  });

  it('is nothing for a stopped or removed workload, whatever was placed', () => {
    expect(wantedOf(placement({ eu: 1 }), workload({ stopped: true }))).toEqual([]);
    expect(wantedOf(placement({ eu: 1 }), workload({ removed: true }))).toEqual([]);
  });
});

describe('what is written to DL', () => {
  it('is a first assignment, conditional on nothing being there', () => {
    expect(diff({ eu: 1 }, {})).toEqual(['Assignment eu after 0']);
  });

  it('is nothing when the same version lies there', () => {
    expect(diff({ eu: 1 }, { eu: assigned(1, 1, 7) })).toEqual([]);
  });

  it('replaces an older version, conditional on its sequence', () => {
    const newer = { placement: { version: version(1, 2) } };
    expect(diff({ eu: 1 }, { eu: assigned(1, 1, 7) }, newer)).toEqual(['Assignment eu after 7']);
  });

  it('never replaces a newer version', () => {
    expect(diff({ eu: 1 }, { eu: assigned(1, 5, 7), us: assigned(1, 5, 8) })).toEqual([]);
  });

  it('is a tombstone where nothing is wanted any more', () => {
    const moved = { placement: { version: version(1, 2) } };
    expect(diff({ us: 1 }, { eu: assigned(1, 1, 7) }, moved)).toEqual([
      'Assignment us after 0',
      'Tombstone eu after 7',
    ]);
  });

  it('leaves a tombstone that waits for its site alone', () => {
    const removed = { placement: { version: version(2, 0) }, workload: { generation: 2, removed: true } };
    expect(diff({}, { eu: buried(1, 2, 7) }, removed)).toEqual([]);
  });

  it('replaces a tombstone when the site is wanted again', () => {
    const again = { placement: { version: version(1, 3) } };
    expect(diff({ eu: 1 }, { eu: buried(1, 2, 9) }, again)).toEqual(['Assignment eu after 9']);
  });

  it('is nothing for a site that is no member', () => {
    expect(diff({ eu: 1 }, {}, { mayReceive: () => false })).toEqual([]);
  });
});

describe('a tombstone', () => {
  it('is acknowledged by a report of absence at its version or a newer one', () => {
    const tombstone = buried(1, 2, 7);
    expect(acknowledges({ state: 'absent', version: version(1, 2) }, tombstone)).toBe(true);
    expect(acknowledges({ state: 'absent', version: version(1, 1) }, tombstone)).toBe(false);
    expect(acknowledges({ state: 'accepted', version: version(1, 2) }, tombstone)).toBe(false);
    expect(acknowledges({ state: 'absent', version: version(1, 2) }, assigned(1, 2, 7))).toBe(false);
  });
});

describe('the repair of a site', () => {
  it('sends what it lacks or holds older, and names what only one of both knows', () => {
    const held = [
      { key: 'shop.same', version: version(1, 1) },
      { key: 'shop.older', version: version(1, 1) },
      { key: 'shop.newer', version: version(3, 1) },
      { key: 'shop.own', version: version(1, 1) },
    ];
    const delivered = new Map([
      ['shop.same', assigned(1, 1, 1)],
      ['shop.older', assigned(1, 2, 2)],
      ['shop.newer', assigned(2, 1, 3)],
      ['shop.lacking', buried(1, 1, 4)],
    ]);
    expect(repair(held, delivered)).toEqual({
      send: ['shop.lacking', 'shop.older'],
      unknown: ['shop.own'],
      newer: ['shop.newer'],
    });
  });

  it('knows that DL is gone or went back in time', () => {
    expect(wentBack({ lastSequence: undefined, highestSeen: 0 })).toContain('gone');
    expect(wentBack({ lastSequence: 5, highestSeen: 9 })).toContain('9 was seen before');
    expect(wentBack({ lastSequence: 9, highestSeen: 9 })).toBeUndefined();
    expect(wentBack({ lastSequence: 0, highestSeen: 0 })).toBeUndefined();
  });
});

describe('a site that leaves', () => {
  it('is retired when nothing is wanted of it and all removals are acknowledged', () => {
    const leaving = site('eu', 'leaving');
    expect(retirementOf(leaving, { wanted: 1, delivered: 0 }, AT)).toBeUndefined();
    expect(retirementOf(leaving, { wanted: 0, delivered: 1 }, AT)).toBeUndefined();
    expect(retirementOf(leaving, { wanted: 0, delivered: 0 }, AT)).toMatchObject({
      site: 'eu',
      generation: 3,
    });
    expect(retirementOf(site('eu'), { wanted: 0, delivered: 0 }, AT)).toBeUndefined();
  });
});

test('a singleton is given to its new site only when the one before has ended it', () => {
  const asked = workload();
  const moved = placement({ b: 1 }, { after: ['a'], version: version(1, 2) });
  const there: Delivered = { kind: 'Assignment', version: version(1, 1), sequence: 7 };
  const writes = (delivered: ReadonlyMap<string, Delivered>, holding: string[] = [], gone: string[] = []) =>
    differences({
      placement: moved,
      workload: asked,
      delivered,
      holding: new Set(holding),
      mayReceive: (name) => !gone.includes(name),
      at: AT,
    })?.map(({ object }) => [object.kind, object.site]);
  expect(writes(new Map([['a', there]]))).toEqual([['Tombstone', 'a']]);
  expect(writes(new Map([['a', { ...there, kind: 'Tombstone', version: version(1, 2) }]]))).toEqual([]);
  expect(writes(new Map())).toEqual([['Assignment', 'b']]);
  // DL is gone, and the one before has said nothing of an end.
  expect(writes(new Map(), ['a'])).toEqual([['Tombstone', 'a']]);
  // It was forced out, and nothing is kept for it: its end is a matter of time, which the scheduler counts.
  expect(writes(new Map(), [], ['a'])).toEqual([]);
});
