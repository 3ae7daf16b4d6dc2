import { describe, expect, it } from '@jest/globals';
import { assert, constant, nat, property, record, stringMatching, uniqueArray } from 'fast-check';
import { skewOf, upgradeOrder, type SiteToUpgrade } from './upgrade-order.js';

describe('how far a version is from the centre', () => {
  it.each([
    ['1.4.0', '1.4.0', 'done'],
    ['1.4.2', '1.4.0', 'behind'],
    ['1.4.0', '1.3.9', 'behind'],
    ['1.4.0', '1.5.0', 'ahead'],
    ['1.4.0', '1.2.0', 'too-far'],
    ['2.0.0', '1.9.0', 'too-far'],
    ['1.4.0', 'x', 'unknown'],
  ])('centre %s, agent %s: %s', (centre, version, skew) => {
    expect(skewOf(centre, version)).toBe(skew);
  });
});

describe('the order of an upgrade', () => {
  const site = (name: string, running: number, ...versions: string[]): SiteToUpgrade => ({
    site: name,
    running,
    versions,
  });

  it('is the centre, then sites with the fewest replicas first, then the CLI', () => {
    const steps = upgradeOrder({
      centre: '1.4.0',
      cli: '1.3.0',
      sites: [site('b', 5, '1.3.0'), site('c', 1, '1.4.0'), site('a', 5, '1.3.0', '1.4.0'), site('d', 0)],
    });
    expect(steps.map((s) => `${s.what} ${s.state}`)).toEqual([
      'centre done',
      'd unknown',
      'c done',
      'a behind',
      'b behind',
      'cli behind',
    ]);
  });

  it('a site is as far as the node that is farthest', () => {
    const [, step] = upgradeOrder({ centre: '1.4.0', sites: [site('a', 0, '1.4.0', '1.1.0', '1.3.0')] });
    expect(step).toMatchObject({ state: 'too-far', versions: ['1.1.0', '1.3.0', '1.4.0'] });
  });

  it('does not depend on the order in which sites are told', () => {
    const sites = uniqueArray(
      record({
        site: stringMatching(/^[a-z]{1,4}$/),
        running: nat(3),
        versions: constant(['1.0.0']),
      }),
      { selector: (s) => s.site },
    );
    assert(
      property(sites, (list) => {
        const forth = upgradeOrder({ centre: '1.0.0', sites: list });
        expect(upgradeOrder({ centre: '1.0.0', sites: list.toReversed() })).toEqual(forth);
      }),
    );
  });
});
