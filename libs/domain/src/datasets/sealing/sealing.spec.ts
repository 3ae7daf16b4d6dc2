import { describe, expect, it } from '@jest/globals';
import type { DataKey, OfferedKey, RecordState, Wrap } from '@skerry/contracts';
import { judgeRecord } from '../judge-record.js';
import { keyAreaOf, mayHoldKey } from './areas.js';
import { bareState, isSealedAs } from './bare-state.js';
import { isOver, newestKey, takesKey, withWraps } from './judge-key.js';

const MADE = Date.parse('2026-01-01T00:00:00.000Z');
const ME = 'eu.00000000000000aa';
const limits = { keys: 10, bytes: 10_000, valueBytes: 100 };
const by = { origin: ME, site: 'eu', nowMs: MADE, known: () => 0 };
const encryption = { at: 'site' as const };
const full: RecordState = { rule: 'newest', at: [5, 0], by: ME, value: 'v' };
const sealed = { key: 'ab'.repeat(16), box: 'AA' };
const wrap = (site: string, store = '00000000000000aa'): Wrap => ({
  site,
  store,
  ephemeral: 'e'.repeat(43),
  box: 'b'.repeat(80),
  by: 'eu',
  identity: `U${'A'.repeat(55)}`,
  signature: 's'.repeat(86),
});
const ref = { project: 'p', name: 'd', incarnation: 1 };
const keyOf = (id: string, sites: string[], atMs = MADE): DataKey => ({
  kind: 'DataKey',
  ...ref,
  id,
  area: 'eu',
  madeBy: 'eu',
  madeAt: new Date(atMs).toISOString(),
  wraps: sites.map((site) => wrap(site)),
});
const offerOf = (sites: string[], more: Partial<OfferedKey> = {}): OfferedKey => ({
  ...ref,
  id: 'ff'.repeat(16),
  area: 'eu',
  wraps: sites.map((site) => wrap(site)),
  ...more,
});

describe('records of an encrypted dataset', () => {
  const judged = (record: object, copy: object = { encryption }) =>
    judgeRecord({ key: 'k', write: 5, state: bareState(full), ...record }, by, {
      conflicts: 'newest',
      limits,
      ...copy,
    });

  it('are taken sealed, and refused in clear, whoever sends them', () => {
    expect(judged({ sealed })).toEqual({ verdict: 'take' });
    expect(judged({ state: full })).toMatchObject({
      verdict: 'refuse',
      reason: expect.stringContaining('in clear'),
    });
    expect(judged({})).toMatchObject({ verdict: 'refuse' });
    expect(judged({ state: full, sealed })).toMatchObject({ verdict: 'refuse' });
    expect(judged({ sealed }, {})).toMatchObject({
      verdict: 'refuse',
      reason: expect.stringContaining('dataset is not'),
    });
  });

  it('are judged as ever by what is said in clear', () => {
    const state = { rule: 'newest' as const, at: [5, 0] as [number, number], by: 'us.00000000000000bb' };
    expect(judged({ state, sealed })).toMatchObject({
      verdict: 'refuse',
      reason: expect.stringContaining('another'),
    });
  });

  it('are what was said of them, in whatever order the fields are', () => {
    const other: RecordState = { by: ME, value: 'w', at: [5, 0], rule: 'newest' };
    expect(isSealedAs(bareState(full), other)).toBe(true);
    expect(isSealedAs(bareState(full), { ...full, at: [6, 0] })).toBe(false);
  });
});

describe('areas of keys', () => {
  const place = (...jurisdictions: string[]) => ({ jurisdictions });

  it('are all places that a dataset may be at, or those that its records stay in', () => {
    expect(keyAreaOf(undefined, place('eu'))).toBe('*');
    expect(keyAreaOf({ stay: ['uk', 'eu'] }, place('eu'))).toBe('eu+uk');
    const origin = { among: ['eu', 'us'], elsewhere: 'nothing' as const };
    expect(keyAreaOf({ origin }, place('us'))).toBe('us');
    expect(keyAreaOf({ origin }, place('jp'))).toBeUndefined();
  });

  it('are held by who may be there alone', () => {
    expect(mayHoldKey({ stay: ['eu'] }, 'eu', place('eu'))).toBe(true);
    expect(mayHoldKey({ stay: ['eu'] }, 'eu', place('us'))).toBe(false);
    const origin = { among: ['eu', 'us'], elsewhere: 'nothing' as const };
    expect(mayHoldKey({ origin }, 'eu', place('us'))).toBe(false);
    expect(mayHoldKey({ origin }, 'us', place('us'))).toBe(true);
  });
});

describe('a key that is offered', () => {
  const known = (keys: DataKey[], more: object = {}) => ({
    keys,
    isBarred: () => false,
    nowMs: MADE + 1_000,
    ...more,
  });

  it('is taken while there is none, and not beside one that holds: two that make one at once use the same', () => {
    expect(takesKey(offerOf(['eu']), 'eu', known([]))).toBe(true);
    expect(takesKey(offerOf(['de']), 'de', known([keyOf('aa', ['eu'])]))).toBe(false);
    expect(takesKey(offerOf(['eu']), 'eu', known([keyOf('aa', ['eu'])], { nowMs: MADE + 60_000 }))).toBe(
      false,
    );
  });

  it('is taken from who waits in vain for another, from who had it before, and when a site has the other that may not', () => {
    const late = known([keyOf('aa', ['eu'])], { nowMs: MADE + 60_000 });
    expect(takesKey(offerOf(['de']), 'de', late)).toBe(true);
    expect(takesKey(offerOf(['de'], { again: true }), 'de', known([keyOf('aa', ['eu'])]))).toBe(true);
    const isBarred = (site: string) => site === 'us';
    expect(isOver(keyOf('aa', ['eu', 'us']), isBarred)).toBe(true);
    expect(takesKey(offerOf(['eu']), 'eu', known([keyOf('aa', ['eu', 'us'])], { isBarred }))).toBe(true);
  });

  it('is taken however many come from before', () => {
    const before: DataKey[] = [];
    const offer = offerOf(['de'], { again: true });
    while (takesKey(offer, 'de', known(before)))
      before.push({ ...keyOf(`k${before.length}`, ['de']), again: true });
    expect(before.length).toBe(48);
    expect(takesKey(offerOf(['de']), 'de', known(before))).toBe(true);
  });

  it('is not taken without a wrap for who makes it, nor beyond the limit', () => {
    expect(takesKey(offerOf(['de']), 'eu', known([]))).toBe(false);
    const many = Array.from({ length: 64 }, (_, n) => keyOf(String(n), ['us']));
    expect(takesKey(offerOf(['eu']), 'eu', known(many, { nowMs: MADE + 60_000 }))).toBe(false);
  });

  it('is wrapped once for each node', () => {
    const key = keyOf('aa', ['eu']);
    expect(withWraps(key, [wrap('eu')])).toBe(key);
    expect(withWraps(key, [wrap('eu'), wrap('de')]).wraps.map(({ site }) => site)).toEqual(['eu', 'de']);
  });

  it('of several the newest is sealed with, by all alike', () => {
    const keys = [keyOf('aa', []), keyOf('bb', [], MADE + 1), keyOf('cc', [], MADE + 1)];
    expect(newestKey(keys)?.id).toBe('cc');
    expect(newestKey(keys.toReversed())?.id).toBe('cc');
  });
});
