import { describe, expect, test } from '@jest/globals';
import { Malformed } from './errors.js';
import { matches, requireFilter, requireSubject } from './subject.js';

describe('a subject', () => {
  test.each([
    ['a.b', 'a.b', true],
    ['a.b', 'a.c', false],
    ['a.*', 'a.b', true],
    ['a.*', 'a', false],
    ['a.*', 'a.b.c', false],
    ['a.*.c', 'a.b.c', true],
    ['a.>', 'a', false],
    ['a.>', 'a.b', true],
    ['a.>', 'a.b.c', true],
    ['>', 'anything.at.all', true],
    ['*.b', 'a.b', true],
    ['a.b', 'a.b.c', false],
    ['a.b.c', 'a.b', false],
  ])('filter %s takes %s: %s', (filter, subject, taken) => {
    expect(matches(filter, subject)).toBe(taken);
  });

  test.each(['a', 'a.b', '$KV.x.p.n', '_INBOX.x', 'a-b_c.d/e=f', 'ü.b'])(
    '%s may be published to',
    (subject) => {
      expect(requireSubject(subject)).toBe(subject);
    },
  );

  test.each(['*', 'a.*.b', 'a.>', '>'])('%s may be a filter and not be published to', (filter) => {
    expect(requireFilter(filter)).toBe(filter);
    expect(() => requireSubject(filter)).toThrow(Malformed);
  });

  test.each(['', '.', 'a.', '.a', 'a..b', 'a b', 'a\tb', 'a\u0000b', '>.a', 'a.>.b', 'a*', 'a.b>'])(
    '%j may be neither',
    (text) => {
      expect(() => requireSubject(text)).toThrow(Malformed);
      expect(() => requireFilter(text)).toThrow(Malformed);
    },
  );

  test('has at most 512 characters and 16 tokens', () => {
    expect(requireSubject('x'.repeat(512))).toHaveLength(512);
    expect(() => requireSubject('x'.repeat(513))).toThrow('limit subjectChars');
    expect(requireSubject(`x${'.x'.repeat(15)}`)).toHaveLength(31);
    expect(() => requireFilter(`x${'.x'.repeat(16)}`)).toThrow('limit subjectTokens');
  });
});
