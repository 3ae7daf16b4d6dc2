import { describe, expect, it } from '@jest/globals';
import { originRuleSchema } from '@skerry/contracts';
import { areaAt, areasAbroad, judgeArea, originInWords, originOf, redactValue } from './index.js';

const rule = originRuleSchema.parse({ among: ['eu', 'us'], elsewhere: { keep: ['city'] } });
const at = (...jurisdictions: string[]) => areaAt(rule, { jurisdictions });

describe('areas of residency.origin', () => {
  it('a site is in one of them, and one that is in none or in two has no copy', () => {
    expect(at('eu', 'de')).toEqual({ ok: true, area: 'eu' });
    expect(at('jp')).toEqual({ ok: false, why: 'in none of the areas eu, us' });
    expect(at()).toMatchObject({ ok: false });
    expect(at('us', 'eu')).toEqual({ ok: false, why: 'in eu and us at once' });
  });

  it('a place keeps in clear what was written in areas that it is in; one that nobody knows keeps nothing', () => {
    expect(areasAbroad(rule, ['eu'])).toEqual(['us']);
    expect(areasAbroad(rule, ['us', 'eu', 'jp'])).toEqual([]);
    expect(areasAbroad(rule, undefined)).toEqual(['eu', 'us']);
  });

  it('without areas a rule lets nobody have a copy', () => {
    const none = originOf({ origin: true });
    expect(none && areaAt(none, { jurisdictions: ['eu'] })).toMatchObject({ ok: false });
    expect(originOf({ origin: false })).toBeUndefined();
  });

  it('are told with what is known elsewhere', () => {
    expect(originInWords(rule)).toBe(
      'each record stays where it was written, in eu or us; elsewhere only city',
    );
  });
});

describe('a redacted value', () => {
  it('has the named fields at its top alone, whole', () => {
    expect(redactValue('{"name":"Ann","city":{"name":"Kiel"}}', ['city'])).toBe('{"city":{"name":"Kiel"}}');
    expect(redactValue('{"name":"Ann","inner":{"city":"Kiel"}}', ['city'])).toBeUndefined();
  });

  it.each([
    ['no JSON', 'city: Kiel'],
    ['a list', '[{"city":"Kiel"}]'],
    ['a text', '"city"'],
    ['null', 'null'],
    ['an object without the field', '{"name":"Ann"}'],
    ['one that would become longer', '{"city":[1e20,1e20,1e20]}'],
  ])('is withheld: %s', (_what, text) => {
    expect(redactValue(text, ['city'])).toBeUndefined();
  });

  it('that is nested as deeply as a value can be is withheld or whole, and nothing breaks', () => {
    const text = `{"city":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
    expect([undefined, text]).toContain(redactValue(text, ['city']));
  });

  it('of a name that objects have by themselves is that field and no more', () => {
    expect(redactValue('{"__proto__":{"city":1},"name":2}', ['city'])).toBeUndefined();
    expect(redactValue('{"__proto__":{"a":1},"name":2}', ['__proto__'])).toBe('{"__proto__":{"a":1}}');
    expect(redactValue('{"name":2}', ['toString', 'constructor'])).toBeUndefined();
  });

  it('of a field that is said twice is what a reader sees', () => {
    expect(redactValue('{"city":"a","name":1,"city":"b"}', ['city'])).toBe('{"city":"b"}');
  });
});

describe('a record', () => {
  const areaOf = (origin: string) =>
    origin.startsWith('de.') ? 'eu' : origin.startsWith('ny.') ? 'us' : undefined;
  const [here, there, lost] = ['de', 'ny', 'gone'].map((site) => `${site}.0000000000000001`);
  const speaking = (...origins: (string | undefined)[]) => {
    const seen = Object.fromEntries(origins.map((origin = '') => [origin, 1]));
    return { key: 'k', write: 2, state: { rule: 'keep-both' as const, seen, siblings: [] } };
  };

  it('that speaks of a store of another area, or of none that is known, is refused', () => {
    expect(judgeArea(speaking(here), 'eu', areaOf)).toBeUndefined();
    for (const stranger of [there, lost])
      expect(judgeArea(speaking(here, stranger), 'eu', areaOf)).toEqual({
        verdict: 'refuse',
        reason: `k: speaks of ${stranger}, which is not in eu`,
      });
  });
});
