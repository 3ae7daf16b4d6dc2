import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { LogItem, OwnEntry } from '@skerry/contracts';
import { sealedChars } from '@skerry/domain';
import { openEntry, sealEntry } from './entry-box.js';
import { EntrySealing } from './entry-sealing.js';
import type { HeldKey } from './record-box.js';

const ORIGIN = 'eu.00000000000000aa';
const SECRET = 'what-nobody-may-read';
const ignore = () => undefined;
const place = { project: 'plant', name: 'heat', incarnation: 3, area: 'eu', id: 'ab'.repeat(16) };
const newKey = (id = place.id): HeldKey => ({ ...place, id, secret: randomBytes(32) });
const entry = (number = 4, value = SECRET): OwnEntry => ({ number, at: 5, value });

describe('a sealed entry', () => {
  it('says nothing of what it holds, is as long as the hub expects, and is opened with the key', () => {
    const by = newKey();
    for (const value of [SECRET, '', 'ü'.repeat(300)]) {
      const sealed = sealEntry(entry(4, value), ORIGIN, by);
      expect(sealed.value).toBe('');
      expect(JSON.stringify(sealed)).not.toContain(SECRET);
      expect(sealed.sealed?.box.length).toBeLessThanOrEqual(sealedChars(Buffer.byteLength(value)));
      expect(openEntry({ origin: ORIGIN, ...sealed }, by)).toEqual({
        origin: ORIGIN,
        number: 4,
        at: 5,
        value,
      });
    }
  });

  it('opens for nobody without the key, and under no other name, number, moment or log', () => {
    const by = newKey();
    const came = { origin: ORIGIN, ...sealEntry(entry(), ORIGIN, by) };
    const [box = ''] = [came.sealed?.box];
    const moved = [
      { ...came, origin: 'eu.00000000000000ab' },
      { ...came, number: 5 },
      { ...came, at: 6 },
      { ...came, sealed: { key: place.id, box: `${box.slice(0, -4)}AAAA` } },
      { ...came, sealed: { key: place.id, box: 'AAAA' } },
    ];
    for (const item of moved) expect(openEntry(item, by)).toBeUndefined();
    expect(openEntry(came, newKey())).toBeUndefined();
    for (const other of [{ name: 'cold' }, { incarnation: 4 }, { area: 'us' }, { project: 'p' }])
      expect(openEntry(came, { ...by, ...other })).toBeUndefined();
    expect(openEntry(came, by)).toBeDefined();
  });
});

describe('entries of others', () => {
  const sealingWith = (held: Map<string, HeldKey>, now: () => number = () => 0) => {
    const alarms: unknown[] = [];
    const log = {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (_: string, fields?: Record<string, unknown>) => void alarms.push(fields?.['alarm']),
    };
    const keys = {
      rule: { ...place, generation: 1 },
      current: undefined,
      keyFor: (id: string) => held.get(id),
    };
    return { alarms, box: new EntrySealing(keys, log, now) };
  };
  const came = (by: HeldKey, number = 4): LogItem => ({
    origin: ORIGIN,
    ...sealEntry(entry(number), ORIGIN, by),
  });
  const gap = (number: number) => ({ gap: { origin: ORIGIN, from: number, to: number } });

  it('are opened, and what was put among them in clear or changed is a gap that is told of', () => {
    const by = newKey();
    const { alarms, box } = sealingWith(new Map([[by.id, by]]));
    const clear: LogItem = { origin: ORIGIN, number: 5, at: 5, value: 'forged' };
    const changed = { ...came(by, 6), number: 7 };
    expect(box.open([came(by), clear, gap(6), changed])).toEqual([
      { origin: ORIGIN, number: 4, at: 5, value: SECRET },
      gap(5),
      gap(6),
      gap(7),
    ]);
    expect(alarms).toEqual(['entry-forged', 'entry-forged']);
  });

  it('wait in their order for a key that others have, and become gaps after ten minutes, told of once', () => {
    const by = newKey();
    const held = new Map<string, HeldKey>();
    let nowMs = 0;
    const { alarms, box } = sealingWith(held, () => nowMs);
    expect(box.open([gap(1), came(by)])).toBeUndefined();
    nowMs += 9 * 60_000;
    expect(box.open([came(by)])).toBeUndefined();
    held.set(by.id, by);
    expect(box.open([came(by)])).toMatchObject([{ number: 4, value: SECRET }]);
    held.clear();
    nowMs += 60_000;
    expect(box.open([came(by, 8), came(by, 9)])).toEqual([gap(8), gap(9)]);
    expect(alarms).toEqual(['entry-without-key']);
  });
});
