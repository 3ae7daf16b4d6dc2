import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { placementsValueSchema } from './placement.js';
import { nodeSchema } from './site.js';
import { announcedSchema, type Announced } from './status.js';
import { byContract, parseStored, storedAs } from './stored.js';
import { HEADERS } from './subjects.js';

const NOUN: Announced = {
  kind: 'Announced',
  project: 'shop',
  name: 'web',
  phase: 'running',
  generation: 1,
  running: 1,
  wanted: 1,
  at: '2026-01-02T03:04:05.678Z',
};
const BY_CONTRACT = byContract();
const BROKEN = { ...NOUN, phase: 'dancing' };
const OTHERS = { [HEADERS.contracts]: '0123456789abcdef' };

describe('what lies in a stream', () => {
  it('is taken as it is when the same contracts made it', () => {
    // Nothing else can show that it was not parsed again.
    expect(parseStored(announcedSchema, BROKEN, BY_CONTRACT)).toEqual({ ok: true, value: BROKEN });
    expect(parseStored(announcedSchema, NOUN, BY_CONTRACT)).toEqual({ ok: true, value: NOUN });
  });

  it('is parsed in full when other contracts made it, or nobody says which', () => {
    for (const headers of [{}, OTHERS]) {
      expect(parseStored(announcedSchema, NOUN, headers)).toEqual({ ok: true, value: NOUN });
      expect(parseStored(announcedSchema, BROKEN, headers)).toMatchObject({
        ok: false,
        issues: [{ path: 'phase' }],
      });
    }
  });

  it('is parsed in full when it is another noun than is read, or none', () => {
    for (const value of [{ ...NOUN, kind: 'Epoch' }, { phase: 'running' }, 'text', null, undefined]) {
      expect(parseStored(announcedSchema, value, BY_CONTRACT).ok).toBe(false);
    }
    expect(parseStored(z.strictObject({ n: z.number() }), { n: 'one' }, BY_CONTRACT).ok).toBe(false);
  });

  it('is parsed in full when it is a noun that the headers say nothing of', () => {
    expect(parseStored(nodeSchema, { kind: 'Node' }, BY_CONTRACT).ok).toBe(false);
  });

  it('may be one of several nouns', () => {
    const epoch = { kind: 'Epoch', instance: 7 };
    expect(parseStored(placementsValueSchema, epoch, BY_CONTRACT)).toEqual({ ok: true, value: epoch });
    expect(parseStored(placementsValueSchema, epoch, {}).ok).toBe(false);
    expect(parseStored(placementsValueSchema, NOUN, BY_CONTRACT).ok).toBe(false);
  });
});

describe('the reader of a noun for a bucket', () => {
  it('adds the contracts to each write, and trusts what has them', () => {
    const reader = storedAs(announcedSchema);
    expect(reader.headers).toEqual(BY_CONTRACT);
    expect(reader(BROKEN, BY_CONTRACT)).toBe(BROKEN);
    expect(() => reader(BROKEN)).toThrow('phase');
    expect(() => reader(BROKEN, OTHERS)).toThrow('phase');
    expect(reader(NOUN)).toEqual(NOUN);
  });
});
