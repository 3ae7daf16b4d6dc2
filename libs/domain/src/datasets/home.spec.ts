import { describe, expect, it } from '@jest/globals';
import { datasetHomeSchema, type DatasetHome, type Holder } from '@skerry/contracts';
import {
  decideHome,
  endedEpoch,
  isEpochOver,
  laterHolder,
  mayWrite,
  notOfHome,
  type OldHome,
} from './home.js';

const AT = '2026-01-01T00:00:00.000Z';
const NOW = { floor: 7, at: AT, ref: { project: 'p', name: 'd', incarnation: 1 } };
const OPEN: OldHome = { hasEnded: () => false, leaseOver: false };
const ENDED: OldHome = { hasEnded: () => true, leaseOver: false };
const A = { site: 'a', owner: 1, losses: 0 };
const B = { site: 'b', owner: 2, losses: 0 };
const STORE = '0123456789abcdef';

const home = (more: Partial<DatasetHome> = {}): DatasetHome =>
  datasetHomeSchema.parse({
    kind: 'DatasetHome',
    ...NOW.ref,
    ...A,
    epoch: 1,
    floor: 0,
    stores: [STORE],
    since: AT,
    ...more,
  });
const told = (more: Partial<Holder> = {}): Holder => ({
  with: 'w',
  site: 'a',
  epoch: 2,
  losses: 0,
  pen: true,
  ...more,
});

describe('the home of a dataset', () => {
  it('is where its workload is first wanted, and nowhere before', () => {
    expect(decideHome(undefined, undefined, ENDED, NOW)).toBeUndefined();
    expect(decideHome(undefined, A, ENDED, NOW)).toMatchObject({ site: 'a', epoch: 1, floor: 7, stores: [] });
  });

  it('stays while the owner is the same, and knows of losses that were confirmed', () => {
    expect(decideHome(home(), A, ENDED, NOW)).toBeUndefined();
    expect(decideHome(home(), { ...A, losses: 1 }, ENDED, NOW)).toMatchObject({ epoch: 1, losses: 1 });
    expect(decideHome(home(), undefined, ENDED, NOW)).toBeUndefined();
  });

  it('closes before it moves, and moves when nobody at the old one writes any more and the hub has all', () => {
    const closing = decideHome(home(), B, OPEN, NOW);
    expect(closing).toEqual(home({ closing: true }));
    expect(decideHome(closing, B, OPEN, NOW)).toBeUndefined();
    expect(decideHome(closing, B, ENDED, NOW)).toMatchObject({ site: 'b', epoch: 2, floor: 7, stores: [] });
  });

  it('waits for nobody whose lease is over, or who never could write', () => {
    expect(decideHome(home(), B, { ...OPEN, leaseOver: true }, NOW)).toMatchObject({ site: 'b', epoch: 2 });
    expect(decideHome(home({ stores: [] }), B, OPEN, NOW)).toMatchObject({ site: 'b', epoch: 2 });
  });

  it('that was closing never opens again in that epoch, though the workload stays', () => {
    const closing = home({ closing: true });
    expect(decideHome(closing, A, OPEN, NOW)).toBeUndefined();
    expect(decideHome(closing, A, ENDED, NOW)).toMatchObject({ site: 'a', epoch: 2 });
  });

  it('lets a copy write that has all from before and has done with epochs before', () => {
    const copy = { site: 'a', cursor: 7, unsent: 0, ended: 1 };
    const next = home({ epoch: 2, floor: 7 });
    expect(mayWrite(next, copy, 9)).toBe(true);
    for (const less of [{ cursor: 6 }, { cursor: 10 }, { unsent: 1 }, { ended: 0 }, { site: 'b' }])
      expect(mayWrite(next, { ...copy, ...less }, 9)).toBe(false);
    expect(mayWrite({ ...next, closing: true }, copy, 9)).toBe(false);
    // A hub that was restored has fewer records than it had.
    expect(mayWrite(next, { ...copy, cursor: 3 }, 3)).toBe(true);
  });
});

describe('what a copy goes by', () => {
  it('is the newer epoch, and of one epoch that it closes', () => {
    expect(laterHolder(told(), told({ site: 'b', epoch: 3 }))).toMatchObject({ site: 'b', epoch: 3 });
    expect(laterHolder(told(), told({ site: 'b', epoch: 1 }))).toEqual(told());
    const closed = laterHolder(told(), { with: 'w', site: 'a', epoch: 2, losses: 0, closing: true });
    expect(closed).not.toHaveProperty('pen');
    expect(laterHolder(closed, told())).toEqual(closed);
    expect([endedEpoch(told()), endedEpoch(told({ closing: true }))]).toEqual([1, 2]);
  });

  it('keeps the pen when it is told again without', () => {
    const { pen: _pen, ...without } = told({ losses: 3 });
    expect(laterHolder(told(), without)).toEqual(told({ losses: 3 }));
  });
});

describe('the hub', () => {
  const word = (epoch: number) => ({
    key: 'k',
    state: {
      rule: 'single-writer' as const,
      epoch,
      at: [1, 0] as [number, number],
      by: `a.${STORE}`,
      value: 'v',
    },
  });

  it('takes the present epoch of the present home, and says what is so of any other', () => {
    expect(notOfHome(word(2), 'a', { holder: told() })).toBeUndefined();
    expect(notOfHome(word(1), 'a', { holder: told() })).toContain('epoch 1');
    expect(notOfHome(word(2), 'b', { holder: told() })).toContain('its home is a in epoch 2');
    // A hub that was restored takes again what it had taken before.
    const restored = told({ site: 'b', epoch: 1_000_000_000_001 });
    expect(notOfHome(word(1), 'a', { holder: restored })).toBeUndefined();
    expect([isEpochOver(1, restored), isEpochOver(1, told()), isEpochOver(2, told())]).toEqual([
      false,
      true,
      false,
    ]);
    expect(notOfHome(word(1), 'a', { holder: { with: 'w', epoch: 0, losses: 0 } })).toContain('nowhere');
  });
});
