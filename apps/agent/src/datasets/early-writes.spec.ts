import { afterEach, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { DatasetRecord, RecordState } from '@skerry/contracts';
import { mergeStates } from '@skerry/domain';
import { EarlyWrites, says } from './early-writes.js';

const SITES = ['us.00000000000000aa', 'jp.00000000000000bb'] as const;
const nothing = () => undefined;

const counted = (key: string, origin: string, write: number): DatasetRecord => ({
  key,
  origin,
  write,
  state: { rule: 'counter', counts: { [origin]: [write, 0] } },
});

describe('what came before the hub had stored it', () => {
  const opened: EarlyWrites[] = [];
  const changed: string[] = [];
  afterEach(() => {
    for (const early of opened.splice(0)) early.close();
    changed.length = 0;
  });
  const made = (keptMs?: number, settleMs?: number): EarlyWrites => {
    const early = new EarlyWrites((keys) => changed.push(...keys), keptMs, settleMs);
    opened.push(early);
    return early;
  };
  const now = () => performance.now();

  it('shows the same before and after it has its place, in whatever order that comes', () => {
    const record = fc.record({
      key: fc.constantFrom('a', 'b'),
      origin: fc.constantFrom(...SITES),
      write: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 12 }), fc.nat(), (drawn, turn) => {
        const records = drawn.map(({ key, origin, write }) => counted(key, origin, write));
        const early = made();
        early.came(records, nothing, now());
        const wanted = new Map<string, RecordState>();
        for (const { key, state } of records) wanted.set(key, merged(wanted.get(key), state));
        const held = new Map<string, RecordState>();
        for (let n = 0; n < records.length; n += 1) {
          const placed = records[(n + turn) % records.length];
          if (placed === undefined) continue;
          held.set(placed.key, merged(held.get(placed.key), placed.state));
          early.placed([placed]);
          for (const [key, state] of wanted) expect(says(early.over(key, held.get(key)), state)).toBe(true);
        }
        expect(early.any).toBe(false);
      }),
    );
  });

  it('is not taken when it says nothing new', () => {
    const early = made();
    const held = counted('a', SITES[0], 3).state;
    expect(early.came([counted('a', SITES[0], 2)], () => held, now())).toEqual([]);
    expect(early.came([counted('a', SITES[0], 4)], () => held, now())).toEqual(['a']);
    expect(early.came([counted('a', SITES[0], 4)], () => held, now())).toEqual([]);
    // Of another, or before it: what came early still has no place.
    early.placed([counted('a', SITES[1], 9), counted('a', SITES[0], 3)]);
    expect(early.any).toBe(true);
  });

  it('is shown no longer when it does not get its place', async () => {
    const early = made(20);
    early.came([counted('a', SITES[0], 1)], nothing, now());
    const deadline = now() + 5_000;
    while (early.any && now() < deadline) await new Promise((later) => setTimeout(later, 5));
    expect([early.over('a', undefined), changed]).toEqual([undefined, ['a']]);
  });

  it('is of a bounded number of keys', () => {
    const early = made();
    const many = Array.from({ length: 2_000 }, (_, n) => counted(`k${n}`, SITES[0], n + 1));
    expect(early.came(many, nothing, now())).toHaveLength(1_024);
  });

  it('is waited for by who says that he has seen it', async () => {
    const early = made();
    await early.settled('a');
    early.came([counted('a', SITES[0], 1)], nothing, now());
    let settled = false;
    const waits = early.settled('a').then(() => (settled = true));
    await new Promise((later) => setImmediate(later));
    expect(settled).toBe(false);
    early.placed([counted('a', SITES[0], 1)]);
    await waits;
    expect(settled).toBe(true);
  });

  it('is waited for as it was when the waiting began, however much comes behind it', async () => {
    const early = made();
    early.came([counted('a', SITES[0], 1)], nothing, now());
    const waits = early.settled('a');
    early.came([counted('a', SITES[0], 2), counted('a', SITES[1], 9)], nothing, now());
    early.placed([counted('a', SITES[0], 1)]);
    await waits;
    expect(early.has('a')).toBe(true);
  });

  it('is shown no longer by one writer alone, where another has written since', async () => {
    const early = made(60);
    early.came([counted('a', SITES[0], 1)], nothing, now());
    await new Promise((later) => setTimeout(later, 40));
    early.came([counted('a', SITES[1], 5)], nothing, now());
    const deadline = now() + 5_000;
    while (changed.length === 0 && now() < deadline) await new Promise((later) => setTimeout(later, 1));
    expect(early.over('a', undefined)).toEqual(counted('a', SITES[1], 5).state);
  });

  it('is of a bounded number of writers', () => {
    const early = made();
    const many = Array.from({ length: 50 }, (_, n) => counted('a', `us.${String(n).padStart(16, '0')}`, 1));
    expect(early.came(many, nothing, now())).toHaveLength(16);
  });

  it('refuses who would have to wait for long', async () => {
    const early = made(undefined, 10);
    early.came([counted('a', SITES[0], 1)], nothing, now());
    await expect(early.settled('a')).rejects.toMatchObject({ code: 'unavailable' });
    expect(early.any).toBe(true);
  });
});

const merged = (before: RecordState | undefined, state: RecordState) =>
  before === undefined ? state : mergeStates(before, state);
