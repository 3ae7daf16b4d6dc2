import { describe, expect, it, test } from '@jest/globals';
import {
  datasetSpecSchema,
  siteSchema,
  type DatasetSpec,
  type OwnRecord,
  type Site,
} from '@skerry/contracts';
import { copyAt, mayRest } from './admit-copies.js';
import { aheadBy, compareStamps, MAX_AHEAD_MS, nextStamp } from './clock.js';
import { DIGEST_RANGES, differingRanges, StateDigest } from './digest.js';
import { judgeRecord } from './judge-record.js';
import { DELETION_KEPT_MS, isDroppable, showState } from './states.js';
import { meet, StoreUnderTest } from './stores.suite.js';

const [EU, JP] = ['eu.0000000000000001', 'jp.0000000000000002'];
const LIMITS = { keys: 10, bytes: 10_000, valueBytes: 100 };
const pair = (rule: 'newest' | 'set' | 'counter', skewMs = 0) =>
  [new StoreUnderTest(EU, rule), new StoreUnderTest(JP, rule, skewMs)] as const;

describe('the clock', () => {
  it('follows the wall clock, never goes back, and counts within a millisecond', () => {
    expect(nextStamp([5, 3], 9)).toEqual([9, 0]);
    expect(nextStamp([9, 0], 5)).toEqual([9, 1]);
    expect(nextStamp([9, 65_535], 9)).toEqual([10, 0]);
    expect(compareStamps([9, 1], [9, 0])).toBeGreaterThan(0);
  });

  it('takes clocks that are 2 s wrong, and none that name a time to come', () => {
    expect(aheadBy([10_000 + 4_000, 0], 10_000)).toBe(0);
    expect(aheadBy([10_000 + MAX_AHEAD_MS + 7, 0], 10_000)).toBe(7);
  });

  it('a write that knew of another is newer, although the clock of its site is 2 s behind', () => {
    const [eu, jp] = pair('newest', -2_000);
    eu.write('k', { verb: 'put', value: 'first' }, 10_000);
    meet([eu, jp]);
    jp.write('k', { verb: 'put', value: 'second' }, 10_001);
    meet([eu, jp]);
    expect(eu.show('k')?.value).toBe('second');
  });
});

test('an addition that a removal did not know of stays', () => {
  const [eu, jp] = pair('set');
  eu.write('k', { verb: 'change', add: ['x'], remove: [] }, 1);
  meet([eu, jp]);
  eu.write('k', { verb: 'change', add: ['x'], remove: [] }, 2);
  jp.write('k', { verb: 'change', add: [], remove: ['x'] }, 3);
  meet([eu, jp]);
  expect(jp.show('k')?.elements).toEqual(['x']);
  jp.write('k', { verb: 'change', add: [], remove: ['x'] }, 4);
  meet([eu, jp]);
  expect(eu.show('k')).toBeUndefined();
});

describe('a deletion', () => {
  const gone = { rule: 'newest', at: [1_000, 0] as [number, number], by: EU } as const;

  it('wins over what it deletes wherever that arrives later', () => {
    const [eu, jp] = pair('newest');
    eu.write('k', { verb: 'put', value: 'v' }, 1);
    const early = eu.records();
    eu.write('k', { verb: 'delete' }, 2);
    for (const record of [...eu.records(), ...early]) jp.take(record);
    expect(jp.show('k')).toBeUndefined();
    expect(jp.digest.root()).toBe(eu.digest.root());
  });

  it('is forgotten after 30 days, and a value never', () => {
    expect(isDroppable(gone, undefined, 1_000 + DELETION_KEPT_MS)).toBe(false);
    expect(isDroppable(gone, undefined, 1_000 + DELETION_KEPT_MS + MAX_AHEAD_MS)).toBe(true);
    expect(isDroppable({ ...gone, value: 'v' }, undefined, 1e15)).toBe(false);
  });

  it('comes by itself when the time of a value is over', () => {
    const state = { ...gone, value: 'v' };
    expect(showState(state, { ttlMs: 500, nowMs: 1_499 })?.value).toBe('v');
    expect(showState(state, { ttlMs: 500, nowMs: 1_500 })).toBeUndefined();
  });
});

describe('the digest', () => {
  it('does not depend on the order, and says in which range two copies differ', () => {
    const [eu, jp] = pair('newest');
    for (const key of ['a', 'b', 'c']) eu.write(key, { verb: 'put', value: key }, 1);
    for (const record of eu.records().toReversed()) jp.take(record);
    expect(jp.digest.root()).toBe(eu.digest.root());
    jp.write('d', { verb: 'put', value: 'more' }, 2);
    expect(jp.digest.root()).not.toBe(eu.digest.root());
    expect(differingRanges(jp.digest.ranges(), eu.digest.ranges())).toHaveLength(1);
    expect(eu.digest.ranges()).toHaveLength(DIGEST_RANGES);
  });

  it('is the same in every version, since sites of two compare theirs', () => {
    const digest = new StateDigest();
    const [by, at] = ['eu.00000000000000aa', [1_700_000_000_000, 3] as [number, number]];
    digest.change('k', undefined, { rule: 'newest', at, by, value: 'väl"ue\n' });
    const other = { epoch: 2, at: [5, 0] as [number, number], by: 'jp.00000000000000bb', value: '' };
    digest.change('l', undefined, { rule: 'single-writer', ...other });
    expect(digest.root()).toBe('0ae5ceae2a6dad55');
  });

  it('of nothing is that of everything deleted', () => {
    const [eu] = pair('newest');
    eu.write('a', { verb: 'put', value: 'a' }, 1);
    eu.write('a', { verb: 'delete' }, 2);
    expect(eu.digest.root()).toBe(new StateDigest().root());
  });
});

describe('a record that the hub refuses', () => {
  const judge = (record: OwnRecord, conflicts: DatasetSpec['conflicts'], known = 0) =>
    judgeRecord(
      record,
      { origin: EU, site: 'eu', nowMs: 10_000, known: () => known },
      { conflicts, limits: LIMITS, home: 'jp' },
    ).verdict;
  const newest = (by: string, ms = 10_000): OwnRecord => ({
    key: 'k',
    write: 1,
    state: { rule: 'newest', at: [ms, 0], by, value: 'v' },
  });

  it('is one in the name of another, of another rule, or of who may not write', () => {
    expect(judge(newest(EU), 'newest')).toBe('take');
    expect(judge(newest(JP), 'newest')).toBe('refuse');
    expect(judge(newest(EU), 'counter')).toBe('refuse');
    expect(
      judge({ key: 'k', write: 1, state: { rule: 'counter', counts: { [JP]: [9, 0] } } }, 'counter'),
    ).toBe('refuse');
    expect(
      judge(
        { key: 'k', write: 1, state: { rule: 'single-writer', epoch: 1, at: [1, 0], by: EU } },
        'single-writer',
      ),
    ).toBe('refuse');
  });

  it('is one of a time to come', () => {
    expect(judge(newest(EU, 10_000 + MAX_AHEAD_MS + 1), 'newest')).toBe('ahead');
  });

  it('is one that claims to have seen writes that nobody made: they would suppress what comes', () => {
    const of = (seen: Record<string, number>, write = 3): OwnRecord => ({
      key: 'k',
      write,
      state: { rule: 'set', seen, members: {} },
    });
    expect(judge(of({ [EU]: 3, [JP]: 5 }), 'set', 5)).toBe('take');
    expect(judge(of({ [EU]: 3, [JP]: 6 }), 'set', 5)).toBe('wait');
    expect(judge(of({ [EU]: 4 }), 'set', 5)).toBe('refuse');
  });
});

describe('the allow-list', () => {
  const site = (name: string, jurisdictions: string[], more: Partial<Site> = {}): Site =>
    siteSchema.parse({
      name,
      kind: 'edge',
      location: { lat: 0, lon: 0 },
      jurisdictions,
      provider: 'own',
      prices: { cpuCoreMonth: 1, memoryGiBMonth: 1, egressGiB: 0, gpuMonth: 0 },
      generation: 1,
      account: `A${'B'.repeat(55)}`,
      membership: 'joined',
      cordoned: false,
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: '2026-01-01T00:00:00.000Z',
      commandSequence: 0,
      ...more,
    });
  const spec = (given: object): DatasetSpec => datasetSpecSchema.parse({ type: 'keyvalue', ...given });

  it('never has a site outside of the residency rule, whatever copies says', () => {
    const rule = spec({ residency: { stay: ['eu'] }, copies: { at: 'matching', sites: ['de', 'us'] } });
    expect(copyAt(rule, site('de', ['eu']))).toEqual({ ok: true });
    expect(copyAt(rule, site('us', ['us']))).toMatchObject({
      ok: false,
      why: expect.stringContaining('residency'),
    });
    expect(copyAt(rule, site('sea', []))).toMatchObject({ ok: false });
    expect(copyAt(spec({ residency: { deny: ['us'] } }), site('us', ['us']))).toMatchObject({ ok: false });
  });

  it('has only sites that belong to the cloud, and match', () => {
    expect(copyAt(spec({}), site('de', ['eu'], { membership: 'pending' }))).toMatchObject({ ok: false });
    const edge = spec({ copies: { at: 'matching', match: [{ label: 'tier', op: 'in', values: ['edge'] }] } });
    expect(copyAt(edge, site('a', ['eu'], { labels: { tier: 'edge' } }))).toEqual({ ok: true });
    expect(copyAt(edge, site('b', ['eu']))).toMatchObject({ ok: false });
  });

  it('counts the hub as a place, and one of which nobody says where it is as none', () => {
    expect(mayRest({ stay: ['eu'] }, ['eu'])).toBe(true);
    expect(mayRest({ stay: ['eu'] }, ['us'])).toBe(false);
    expect(mayRest({ stay: ['eu'] }, undefined)).toBe(false);
    expect(mayRest(undefined, undefined)).toBe(true);
  });
});
