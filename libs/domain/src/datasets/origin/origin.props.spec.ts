import { describe, expect, it } from '@jest/globals';
import type { DatasetRecord, RecordState } from '@skerry/contracts';
import * as fc from 'fast-check';
import { mergeStates, showState } from '../states.js';
import { givenIn, redactState, redactValue } from './index.js';

const RUNS = { numRuns: 200, seed: 20_261_122 };
const AREAS = ['eu', 'us', 'cn'];
const STORE = '0000000000000001';
/** Sites are named after their area; one has none. */
const SITES = ['eu', 'eu2', 'us', 'cn', 'sea'];
const areaOf = (origin: string) => AREAS.find((area) => origin.startsWith(area));

const fieldOf = fc.constantFrom<string>('id', 'city', 'name', '__proto__', 'toString', 'keep');
const jsonOf = fc.dictionary(fieldOf, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 5, noNullPrototype: true });
const valueOf = fc.oneof(
  jsonOf.map((value) => JSON.stringify(value)),
  fc.json(),
  fc.string(),
);
const keepOf = fc.uniqueArray(fieldOf, { minLength: 1, maxLength: 4 });
const stampOf = fc.tuple(fc.nat(5), fc.nat(2));

/** What one site has to say of a key, each value with a mark of the site in it. */
const recordOf: fc.Arbitrary<DatasetRecord> = fc
  .record({
    site: fc.constantFrom(...SITES),
    key: fc.constantFrom('a', 'b'),
    at: stampOf,
    value: jsonOf,
    both: fc.boolean(),
    write: fc.integer({ min: 1, max: 9 }),
  })
  .map(({ site, key, at, value, both, write }) => {
    const origin = `${site}.${STORE}`;
    const text = JSON.stringify({ ...value, secret: `of ${site}` });
    const state: RecordState = both
      ? { rule: 'keep-both', seen: { [origin]: write }, siblings: [{ by: origin, write, at, value: text }] }
      : { rule: 'newest', at, by: origin, value: text };
    return { origin, key, write, state };
  });

describe('what an area is given', () => {
  it('has nothing of another area in it, and all of its own', () => {
    fc.assert(
      fc.property(fc.array(recordOf), fc.constantFrom(...AREAS), (records, area) => {
        const given = givenIn({ among: AREAS, elsewhere: 'nothing' }, area, { records, areaOf });
        expect(given).toEqual({ records: records.filter(({ origin }) => areaOf(origin) === area) });
      }),
      RUNS,
    );
  });

  it('has of other areas the kept fields alone, under their names, and nothing of who has no area', () => {
    fc.assert(
      fc.property(fc.array(recordOf), fc.constantFrom(...AREAS), keepOf, (records, area, keep) => {
        const { records: own, elsewhere = [] } = givenIn({ among: AREAS, elsewhere: { keep } }, area, {
          records,
          areaOf,
        });
        expect(own.every(({ origin }) => areaOf(origin) === area)).toBe(true);
        for (const { area: other, origin, state } of elsewhere) {
          expect(other).toBe(areaOf(origin));
          expect(other).not.toBe(area);
          expect(fieldsIn(state).filter((field) => !keep.includes(field))).toEqual([]);
        }
        expect(JSON.stringify(elsewhere)).not.toContain('"secret');
        expect(JSON.stringify(elsewhere)).not.toContain('sea.');
      }),
      RUNS,
    );
  });
});

describe('a redacted value', () => {
  it('is withheld, or an object of named fields with what they held, and no longer than it was', () => {
    fc.assert(
      fc.property(valueOf, keepOf, (text, keep) => {
        const redacted = redactValue(text, keep);
        if (redacted === undefined) return;
        const [before, after] = [JSON.parse(text), JSON.parse(redacted)];
        expect(redacted.length).toBeLessThanOrEqual(text.length);
        for (const field of Object.keys(after)) {
          expect(keep).toContain(field);
          expect(JSON.stringify(after[field])).toBe(JSON.stringify(before[field]));
        }
      }),
      RUNS,
    );
  });

  it('is the same whether words are merged before or after: who is newest elsewhere is newest at home', () => {
    fc.assert(
      fc.property(recordOf, recordOf, keepOf, (a, b, keep) => {
        // One store says no two things at one moment.
        fc.pre(a.state.rule === b.state.rule && a.origin !== b.origin);
        const [left, right] = [a, b].map(({ state }) => redactState(state, keep));
        const after = redactState(mergeStates(a.state, b.state), keep);
        if (left === undefined || right === undefined || after === undefined) throw new Error('not redacted');
        const shown = (state: RecordState) => showState(state, { nowMs: 0 });
        expect(shown(mergeStates(left, right))).toEqual(shown(after));
      }),
      RUNS,
    );
  });
});

function fieldsIn(state: RecordState): string[] {
  const values = state.rule === 'keep-both' ? state.siblings : [state];
  return values.flatMap((one) =>
    'value' in one && one.value !== undefined ? Object.keys(JSON.parse(one.value)) : [],
  );
}
