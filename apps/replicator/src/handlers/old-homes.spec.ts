import { describe, expect, it } from '@jest/globals';
import { datasetHomeSchema, type DatasetHome } from '@skerry/contracts';
import { CLOSING_MAX_MS, CLOSING_MS } from '@skerry/domain';
import { OldHomes } from './old-homes.js';

const STORE = '0123456789abcdef';
const home: DatasetHome = datasetHomeSchema.parse({
  kind: 'DatasetHome',
  project: 'p',
  name: 'd',
  incarnation: 1,
  site: 'a',
  epoch: 2,
  owner: 2,
  losses: 0,
  floor: 0,
  stores: [STORE],
  closing: true,
  since: '2026-01-01T00:00:00.000Z',
});
const copy = { site: 'a', store: STORE, unsent: 0, ended: 2 };

/** Closes from 100 s on. */
function closing(): OldHomes {
  const old = new OldHomes();
  old.look(home, 100_000);
  return old;
}

describe('a home that closes', () => {
  it('has ended when its copies have said so, each in this epoch and with nothing left to send', () => {
    const old = closing();
    for (const less of [{ site: 'b' }, { store: 'fedcba9876543210' }, { unsent: 1 }, { ended: 1 }]) {
      old.heard(home, { ...copy, ...less }, 101_000);
      expect(old.hasEnded(home, STORE, 101_000)).toBe(false);
    }
    old.heard(home, copy, 101_000);
    expect(old.hasEnded(home, STORE, 101_000)).toBe(true);
    expect(old.hasEnded({ ...home, epoch: 3 }, STORE, 101_000)).toBe(false);
  });

  it('is waited for while nothing is heard of it, for longer while it says that the hub has not all, and no longer', () => {
    const old = closing();
    expect(old.hasEnded(home, STORE, 100_000 + CLOSING_MS)).toBe(false);
    expect(old.hasEnded(home, STORE, 100_001 + CLOSING_MS)).toBe(true);
    old.heard(home, { ...copy, unsent: 1 }, 99_000 + CLOSING_MAX_MS);
    expect(old.hasEnded(home, STORE, 100_000 + CLOSING_MAX_MS)).toBe(false);
    expect(old.hasEnded(home, STORE, 100_001 + CLOSING_MAX_MS)).toBe(true);
  });

  it('is not silent while nobody could be heard', () => {
    const old = closing();
    const backMs = 200_000 + CLOSING_MAX_MS;
    old.hearsSince(backMs);
    expect(old.hasEnded(home, STORE, backMs + CLOSING_MS)).toBe(false);
    expect(old.hasEnded(home, STORE, backMs + CLOSING_MS + 1)).toBe(true);
  });
});
