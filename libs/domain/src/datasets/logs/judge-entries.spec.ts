import { describe, expect, it } from '@jest/globals';
import type { OwnEntry } from '@skerry/contracts';
import { judgeEntries, sealedChars } from './judge-entries.js';

const VALUE_BYTES = 100;
const sealed = (chars = 80): OwnEntry => ({
  number: 1,
  at: 1,
  value: '',
  sealed: { key: 'ab'.repeat(16), box: 'A'.repeat(chars) },
});
const judged = (entry: OwnEntry, encrypted: boolean) => {
  const request = { from: 1, upTo: 1, entries: [entry] };
  const judgement = judgeEntries(request, { stored: 0, valueBytes: VALUE_BYTES, encrypted });
  return judgement.verdict === 'refuse' ? judgement.reason : judgement.verdict;
};

describe('an entry of an encrypted log', () => {
  it('is taken as ciphertext alone, and of no other log', () => {
    expect(judged(sealed(), true)).toBe('take');
    expect(judged({ number: 1, at: 1, value: 'v' }, false)).toBe('take');
    expect(judged({ number: 1, at: 1, value: 'v' }, true)).toContain('in clear, and the log is encrypted');
    expect(judged({ ...sealed(), value: 'v' }, true)).toContain('in clear');
    expect(judged(sealed(), false)).toContain('is sealed, and the log is not encrypted');
  });

  it('is no longer than what its log takes, sealed', () => {
    expect(judged(sealed(sealedChars(VALUE_BYTES)), true)).toBe('take');
    expect(judged(sealed(sealedChars(VALUE_BYTES) + 1), true)).toContain('too large');
  });
});
