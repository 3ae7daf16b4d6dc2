import { describe, expect, it } from '@jest/globals';
import { BUCKETS, STREAMS } from '@skerry/contracts';
import { namedBy, NOUNS, unsaid } from './nouns.js';

describe('what is in backups', () => {
  it('is said of every bucket and stream of the hub', () => {
    const all = [...Object.values(BUCKETS), ...Object.values(STREAMS)].map(({ name }) => name);
    expect(NOUNS.map(({ name }) => name).toSorted()).toEqual(all.toSorted());
    expect(unsaid()).toEqual([]);
  });

  it('never names what it does not have: who names others is read before those that it names', () => {
    const pairs = NOUNS.flatMap((noun, at) =>
      namedBy(noun).map((name) => {
        const named = NOUNS.findIndex((other) => other.name === name);
        return { noun, name, behind: named > at, kept: NOUNS[named]?.kept };
      }),
    );
    expect(pairs.length).toBeGreaterThan(15);
    expect(pairs.filter(({ behind }) => !behind)).toEqual([]);
    // What is always there leans on nothing that may be left out.
    expect(pairs.filter(({ noun, kept }) => noun.kept === 'always' && kept !== 'always')).toEqual([]);
  });

  it('leaves out what is derived, and what is gone in a moment', () => {
    const never = NOUNS.filter(({ kept }) => kept === 'never').map(({ name }) => name);
    expect(never.toSorted()).toEqual(['CMD', 'DL', 'GIVEN', 'leases', 'plans', 'status']);
  });
});
