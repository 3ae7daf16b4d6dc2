import { describe, expect, it } from '@jest/globals';
import { conflictRuleSchema, recordStateSchema, type ConflictRule, type OwnRecord } from '@skerry/contracts';
import * as fc from 'fast-check';
import { meet, StoreUnderTest } from './stores.suite.js';
import { mergeStates } from './states.js';
import { judgeRecord } from './judge-record.js';
import type { Write } from './rule.js';

const RUNS = { numRuns: 60, seed: 20_261_122 };
const RULES = conflictRuleSchema.options;
const KEYS = ['a', 'b'];
const ORIGINS = ['eu.0000000000000001', 'jp.0000000000000002', 'us.0000000000000003'];
const LIMITS = { keys: 10, bytes: 10_000, valueBytes: 100 };

/** One thing that happens: a write somewhere, or a message from one store to another, now, twice, late or never. */
type Step =
  | { kind: 'write'; at: number; key: string; choice: number; value: string; seen: boolean }
  | { kind: 'send'; from: number; to: number; fate: 'now' | 'twice' | 'late' | 'lost' };
const store = fc.nat(ORIGINS.length - 1);
const stepOf: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    at: store,
    key: fc.constantFrom(...KEYS),
    choice: fc.nat(3),
    value: fc.constantFrom('x', 'y', 'z'),
    seen: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('send' as const),
    from: store,
    to: store,
    fate: fc.constantFrom('now' as const, 'twice' as const, 'late' as const, 'lost' as const),
  }),
);
const stepsOf = fc.array(stepOf, { maxLength: 40 });
const skewsOf = fc.tuple(...ORIGINS.map(() => fc.integer({ min: -2_000, max: 2_000 })));

function writeOf(rule: ConflictRule, step: Extract<Step, { kind: 'write' }>, to: StoreUnderTest): Write {
  const { choice, value, seen, key } = step;
  switch (rule) {
    case 'counter':
      return { verb: 'count', by: choice - 1 };
    case 'set':
      return choice === 0
        ? { verb: 'change', add: [], remove: [value] }
        : { verb: 'change', add: [value], remove: [] };
    default: {
      const context = seen ? to.context(key) : undefined;
      return choice === 0 ? { verb: 'delete', context } : { verb: 'put', value, context };
    }
  }
}

/** Plays the steps; single-writer writes at the first store alone. */
function play(rule: ConflictRule, steps: readonly Step[], skews: readonly number[]): StoreUnderTest[] {
  const stores = ORIGINS.map((origin, at) => new StoreUnderTest(origin, rule, skews[at]));
  const at = (n: number) => stores[n] ?? new StoreUnderTest('none.0000000000000000', rule);
  const late: { to: number; record: OwnRecord }[] = [];
  for (const [now, step] of steps.entries()) {
    if (step.kind === 'write') {
      const here = at(rule === 'single-writer' ? 0 : step.at);
      here.write(step.key, writeOf(rule, step, here), now);
      continue;
    }
    if (step.from === step.to || step.fate === 'lost') continue;
    for (const record of at(step.from).records()) {
      if (step.fate === 'late') late.push({ to: step.to, record });
      else at(step.to).take(record);
      if (step.fate === 'twice') at(step.to).take(record);
    }
  }
  for (const { to, record } of late.toReversed()) at(to).take(record);
  return stores;
}

for (const rule of RULES) {
  describe(`states under ${rule}`, () => {
    const statesOf = fc.tuple(stepsOf, skewsOf).map(([steps, skews]) => {
      const stores = play(rule, steps, skews);
      return stores.flatMap((s) => [...s.states].filter(([key]) => key === 'a').map(([, state]) => state));
    });

    it('merge the same in any order, grouping and number', () => {
      fc.assert(
        fc.property(statesOf, ([a, b, c]) => {
          if (a === undefined) return;
          expect(mergeStates(a, a)).toEqual(a);
          if (b === undefined) return;
          expect(mergeStates(a, b)).toEqual(mergeStates(b, a));
          expect(mergeStates(mergeStates(a, b), b)).toEqual(mergeStates(a, b));
          if (c === undefined) return;
          expect(mergeStates(mergeStates(a, b), c)).toEqual(mergeStates(a, mergeStates(b, c)));
        }),
        RUNS,
      );
    });

    it('are what the contract says', () => {
      fc.assert(
        fc.property(statesOf, (states) => {
          for (const state of states)
            expect(recordStateSchema.parse(JSON.parse(JSON.stringify(state)))).toEqual(state);
        }),
        { ...RUNS, numRuns: 30 },
      );
    });

    it('are equal everywhere when all was told, whatever was lost, doubled or late before', () => {
      fc.assert(
        fc.property(stepsOf, skewsOf, (steps, skews) => {
          const stores = play(rule, steps, skews);
          // What a store tells last may hold what it heard in the first round.
          meet(stores);
          const [first, ...rest] = stores;
          for (const other of rest) {
            expect(other.digest.root()).toBe(first?.digest.root());
            for (const key of KEYS) expect(other.show(key)).toEqual(first?.show(key));
          }
        }),
        RUNS,
      );
    });

    it('are judged as true by the hub, once it has what they have seen', () => {
      fc.assert(
        fc.property(stepsOf, skewsOf, (steps, skews) => {
          const stores = play(rule, steps, skews);
          const newest = new Map(stores.map((s) => [s.origin, Math.max(0, ...s.own.values())]));
          for (const s of stores)
            for (const record of s.records()) {
              const by = { origin: s.origin, site: s.origin.slice(0, 2), nowMs: 0 };
              const verdict = judgeRecord(
                record,
                { ...by, known: (origin) => newest.get(origin) ?? 0 },
                { conflicts: rule, home: 'eu', limits: LIMITS },
              );
              expect(verdict).toEqual({ verdict: 'take' });
            }
        }),
        RUNS,
      );
    });
  });
}

describe('no acknowledged write is lost', () => {
  it('a counter is the sum of all that was counted', () => {
    fc.assert(
      fc.property(stepsOf, skewsOf, (steps, skews) => {
        const stores = play('counter', steps, skews);
        meet(stores);
        for (const key of KEYS) {
          const sum = steps.reduce((n, s) => n + (s.kind === 'write' && s.key === key ? s.choice - 1 : 0), 0);
          expect(stores[0]?.show(key)?.number ?? 0).toBe(sum);
        }
      }),
      RUNS,
    );
  });

  it('an element that was added and nobody removed is in the set', () => {
    fc.assert(
      fc.property(stepsOf, skewsOf, (steps, skews) => {
        const added = steps.filter((s) => s.kind !== 'write' || s.choice > 0);
        const stores = play('set', added, skews);
        meet(stores);
        for (const key of KEYS) {
          const values = added.flatMap((s) => (s.kind === 'write' && s.key === key ? [s.value] : []));
          expect(stores[1]?.show(key)?.elements ?? []).toEqual([...new Set(values)].toSorted());
        }
      }),
      RUNS,
    );
  });

  it('values that did not know of each other are all kept, and one that knew takes their place', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('p', 'q', 'r'), { minLength: 1, maxLength: 3 }), (values) => {
        const stores = ORIGINS.map((origin) => new StoreUnderTest(origin, 'keep-both'));
        for (const [at, value] of values.entries()) stores[at]?.write('a', { verb: 'put', value }, at);
        meet(stores);
        expect(stores[2]?.show('a')?.values?.toSorted()).toEqual(values.toSorted());
        stores[2]?.write('a', { verb: 'put', value: 'one', context: stores[2].context('a') }, 9);
        meet(stores);
        for (const s of stores) expect(s.show('a')?.values).toEqual(['one']);
      }),
      RUNS,
    );
  });
});
