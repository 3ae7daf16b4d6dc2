import { describe, expect, it } from '@jest/globals';
import type { CheckResult } from '@skerry/contracts';
import { Refusals } from './refusals.js';

const misfit: CheckResult = { check: 'capacity', ok: false, has: '400m of cpu free', needs: '900m' };
const at = (revision: number) => ({ version: { term: 1, generation: 1, revision } });

describe('what does not fit on the nodes of a site', () => {
  it('is refused anew in each version, for the same reason too', () => {
    const told: (CheckResult | undefined)[] = [];
    const refusals = new Refusals(
      () => undefined,
      (_key, why) => told.push(why),
    );
    refusals.refuse('shop.web', at(1), misfit);
    refusals.refuse('shop.web', at(1), misfit);
    expect(told).toHaveLength(1);
    // The centre waits for an answer to its newest word: until that is decided there is none.
    expect(refusals.get('shop.web', at(2))).toBeUndefined();
    refusals.refuse('shop.web', at(2), misfit);
    expect(told).toHaveLength(2);
    expect(refusals.get('shop.web', at(2))).toEqual(misfit);
    refusals.close();
  });
});
