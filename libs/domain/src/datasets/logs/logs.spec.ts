import { describe, expect, it } from '@jest/globals';
import type { EdgeRule, LogItem } from '@skerry/contracts';
import { following } from './continuity.js';
import { closeWindow, endWindow, foldEntry, type Fold } from './edge-rule.js';

const T0 = Date.parse('2026-05-01T12:00:00.000Z');
const none = () => undefined;

describe('a rule at the edge', () => {
  it('says of a window from when to when it was, of which sensor, and what its numbers were', () => {
    const rule: EdgeRule = { keep: 'windows', everyMs: 60_000, of: 'c', by: 'room' };
    let fold: Fold | undefined;
    for (const [n, c] of [20, 22, 24].entries()) {
      const folded = foldEntry(
        rule,
        { at: T0 + n * 1_000, value: JSON.stringify({ room: 'a', c }) },
        () => fold,
      );
      if (!folded.ok) throw new Error(folded.problem);
      expect(folded.kept).toEqual([]);
      ({ fold } = folded);
    }
    if (fold === undefined) throw new Error('nothing is open');
    expect(closeWindow(rule, 'a', fold, T0 + 59_999)).toBeUndefined();
    const closed = closeWindow(rule, 'a', fold, T0 + 60_000);
    expect(closed).toEqual(endWindow(rule, 'a', fold));
    expect(closed?.at).toBe(T0 + 2_000);
    expect(JSON.parse(closed?.value ?? '')).toEqual({
      sensor: 'a',
      from: '2026-05-01T12:00:00.000Z',
      to: '2026-05-01T12:01:00.000Z',
      count: 3,
      min: 20,
      max: 24,
      mean: 22,
    });
  });

  it('sees a change of text where it has no deadband', () => {
    const rule: EdgeRule = { keep: 'changes', of: 'state' };
    const last: Fold = { keep: 'changes', last: '"open"' };
    const value = (state: string, n: number) => JSON.stringify({ state, n });
    expect(foldEntry(rule, { at: T0, value: value('open', 2) }, () => last)).toMatchObject({ kept: [] });
    expect(foldEntry(rule, { at: T0, value: value('shut', 3) }, () => last)).toMatchObject({
      kept: [{ value: value('shut', 3) }],
    });
  });

  it.each<[string, EdgeRule, string, RegExp]>([
    ['text where a number is wanted', { keep: 'windows', everyMs: 1_000 }, 'warm', /no number/],
    ['nothing where a number is wanted', { keep: 'windows', everyMs: 1_000 }, ' ', /no number/],
    ['an object without the member', { keep: 'changes', of: 'c' }, '{"d":1}', /no member "c"/],
    ['a member that an object has by itself', { keep: 'changes', of: 'toString' }, '{}', /no member/],
    ['what is no object', { keep: 'one-in', n: 2, by: 'room' }, '7', /no member "room"/],
    ['a sensor without a name', { keep: 'one-in', n: 2, by: 'room' }, '{"room":""}', /names no sensor/],
  ])('refuses %s', (_, rule, value, problem) => {
    expect(foldEntry(rule, { at: T0, value }, none)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(problem),
    });
  });
});

describe('a reader', () => {
  const item = (number: number) => ({ origin: 'eu.0000000000000001', number, at: T0, value: 'x' });

  it('that is new begins with what there is, and is told of what is missing from then on', () => {
    const { items, reached } = following({}, [item(7), item(9)], { fresh: true });
    expect(items).toEqual([item(7), { gap: { origin: item(1).origin, from: 8, to: 8 } }, item(9)]);
    expect(following(reached, [item(9), item(10)], { fresh: false }).items).toEqual([item(10)]);
  });

  it('remembers the origins that it met last', () => {
    const of = (n: number): LogItem => ({ ...item(1), origin: `centre.000000000000000${n}` });
    const { items, reached } = following({}, [of(1), of(2), of(3)], { fresh: false, most: 2 });
    expect(items).toEqual([of(1), of(2), of(3)]);
    expect(Object.keys(reached)).toEqual(['centre.0000000000000002', 'centre.0000000000000003']);
  });

  it('that was away is told of what an origin wrote that it never met', () => {
    expect(following({}, [item(3)], { fresh: false }).items).toEqual([
      { gap: { origin: item(1).origin, from: 1, to: 2 } },
      item(3),
    ]);
  });
});
