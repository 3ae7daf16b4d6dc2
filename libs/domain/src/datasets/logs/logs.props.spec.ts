import { describe, expect, it } from '@jest/globals';
import type { EdgeRule, LogItem, OwnEntry, StoredEntries } from '@skerry/contracts';
import * as fc from 'fast-check';
import { following, itemsOf, spanOf } from './continuity.js';
import { closeWindow, foldEntry, type Fold, type KeptEntry } from './edge-rule.js';
import { judgeEntries } from './judge-entries.js';

const RUNS = { numRuns: 100, seed: 20_261_122 };
const ORIGIN = 'eu.0000000000000001';
const T0 = 1_777_636_800_000;
const SENSORS = ['a', 'b', 'c'];

interface Reading {
  sensor: string;
  v: number;
  afterMs: number;
}
const readingsOf = fc.array(
  fc.record({
    sensor: fc.constantFrom(...SENSORS),
    v: fc.double({ noNaN: true, noDefaultInfinity: true }),
    // Clocks are set back now and then.
    afterMs: fc.integer({ min: -2_000, max: 3_000 }),
  }),
  { maxLength: 60 },
);

/** What travels, by a rule that tells sensors apart; with what is left open at the end. */
function run(rule: EdgeRule, readings: readonly Reading[]): { kept: KeptEntry[]; open: Map<string, Fold> } {
  const folds = new Map<string, Fold>();
  let at = T0;
  const kept = readings.flatMap(({ sensor, v, afterMs }) => {
    at += afterMs;
    const entry = { at, value: JSON.stringify({ sensor, v }) };
    // Through text, as it lies on the disk of an agent that is started again.
    const read = (s: string): Fold | undefined =>
      JSON.parse(JSON.stringify(folds.get(s) ?? null)) ?? undefined;
    const folded = foldEntry(rule, entry, read);
    if (!folded.ok) throw new Error(folded.problem);
    folds.set(folded.sensor, folded.fold);
    return folded.kept;
  });
  return { kept, open: folds };
}

const by = { by: 'sensor', of: 'v' };
const valuesOf = (entries: readonly KeptEntry[], sensor: string): Record<string, number>[] =>
  entries.map(({ value }) => JSON.parse(value)).filter((value) => value.sensor === sensor);

describe('a rule at the edge', () => {
  it('keeps exactly one in n of each sensor, the first of each n', () => {
    fc.assert(
      fc.property(readingsOf, fc.integer({ min: 2, max: 7 }), (readings, n) => {
        const { kept } = run({ keep: 'one-in', n, by: 'sensor' }, readings);
        for (const sensor of SENSORS) {
          const mine = readings.filter((r) => r.sensor === sensor);
          const expected = mine.filter((_, i) => i % n === 0).map(({ v }) => ({ sensor, v }));
          expect(valuesOf(kept, sensor)).toEqual(JSON.parse(JSON.stringify(expected)));
        }
      }),
      RUNS,
    );
  });

  it('counts each entry in exactly one window, with the least, most and mean of what was in it', () => {
    fc.assert(
      fc.property(readingsOf, fc.integer({ min: 1_000, max: 5_000 }), (readings, everyMs) => {
        const rule: EdgeRule = { keep: 'windows', everyMs, ...by };
        const { kept, open } = run(rule, readings);
        const last = [...open].map(([sensor, fold]) => closeWindow(rule, sensor, fold, T0 + 1e9));
        const all = [...kept, ...last.flatMap((k) => k ?? [])];
        for (const sensor of SENSORS) {
          const mine = readings.filter((r) => r.sensor === sensor).map(({ v }) => v);
          let at = 0;
          for (const { count = 0, min = 0, max = 0, mean = 0 } of valuesOf(all, sensor)) {
            const within = mine.slice(at, at + count);
            at += count;
            expect([min, max]).toEqual(
              JSON.parse(JSON.stringify([Math.min(...within), Math.max(...within)])),
            );
            expect(mean >= min && mean <= max).toBe(true);
          }
          expect(at).toBe(mine.length);
        }
      }),
      RUNS,
    );
  });

  it('drops no change beyond the deadband: what travelled last is never further from what is than that', () => {
    fc.assert(
      fc.property(readingsOf, fc.double({ min: 0, max: 1e6, noNaN: true }), (readings, deadband) => {
        const rule: EdgeRule = { keep: 'changes', deadband, ...by };
        const folds = new Map<string, Fold>();
        const last = new Map<string, number>();
        for (const { sensor, v } of readings) {
          const folded = foldEntry(rule, { at: T0, value: JSON.stringify({ sensor, v }) }, (s) =>
            folds.get(s),
          );
          if (!folded.ok) throw new Error(folded.problem);
          folds.set(sensor, folded.fold);
          const before = last.get(sensor);
          const beyond = before === undefined || Math.abs(v - before) > deadband;
          expect(folded.kept.length).toBe(beyond ? 1 : 0);
          if (beyond) last.set(sensor, v);
        }
      }),
      RUNS,
    );
  });
});

describe('a log on its way', () => {
  /** Batches of one writer as they may arrive: any part of what there is, again and again, in any order. */
  const sentOf = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 12 })), {
    maxLength: 40,
  });
  const goneOf = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 10 });

  it('is stored once and in its order, however batches come, and what is gone is told', () => {
    fc.assert(
      fc.property(sentOf, goneOf, (sent, gone) => {
        let stored = 0;
        const items: LogItem[] = [];
        for (const [from, more] of sent) {
          const upTo = Math.min(40, from + more);
          const numbers = Array.from({ length: upTo - from + 1 }, (_, i) => from + i).filter(
            (n) => !gone.includes(n),
          );
          const judged = judgeEntries(
            { from, upTo, entries: numbers.map(entry) },
            { stored, valueBytes: 10 },
          );
          const known = upTo <= stored ? 'known' : 'behind';
          expect(judged.verdict).toBe(upTo > stored && from <= stored + 1 ? 'take' : known);
          if (judged.verdict !== 'take') continue;
          items.push(...itemsOf(batch(judged)));
          stored = judged.upTo;
        }
        expect(items.flatMap((item) => rangeOf(item))).toEqual(
          Array.from({ length: stored }, (_, i) => i + 1),
        );
        const told = items.flatMap((item) => ('gap' in item ? rangeOf(item) : []));
        expect(told).toEqual(gone.filter((n) => n <= stored).toSorted((a, b) => a - b));
      }),
      RUNS,
    );
  });

  it('is read once and in its order by who reads it again and again, and what was trimmed meanwhile is a gap', () => {
    const cutsOf = fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(cutsOf, (cuts) => {
        const all: LogItem[] = Array.from({ length: 40 }, (_, i) => ({ origin: ORIGIN, ...entry(i + 1) }));
        let reached: Record<string, number> = {};
        const seen: LogItem[] = [];
        for (const [from, to] of cuts) {
          const read = following(reached, all.slice(from, to), { fresh: false });
          ({ reached } = read);
          seen.push(...read.items);
        }
        const upTo = reached[ORIGIN] ?? 0;
        expect(seen.flatMap((item) => rangeOf(item))).toEqual(Array.from({ length: upTo }, (_, i) => i + 1));
      }),
      RUNS,
    );
  });
});

const entry = (number: number): OwnEntry => ({ number, at: T0 + number, value: `v${number}` });

function batch({ from, upTo, entries }: { from: number; upTo: number; entries: OwnEntry[] }): StoredEntries {
  const ref = { project: 'p', name: 'l', incarnation: 1 };
  return { kind: 'Entries', ...ref, origin: ORIGIN, from, upTo, entries, totalBytes: 0 };
}

function rangeOf(item: LogItem): number[] {
  const { from, to } = spanOf(item);
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
