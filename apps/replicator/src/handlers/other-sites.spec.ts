import { describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { exampleSite, LIMITS } from '@skerry/contracts';
import { datasetOf } from '../dataset-of.suite.js';
import { CopiesStore } from '../stores/copies.store.js';
import { CopySetsStore } from '../stores/copy-sets.store.js';
import { HomesStore } from '../stores/homes.store.js';
import { WantedStore } from '../stores/wanted.store.js';
import { WrappedKeysStore } from '../stores/wrapped-keys.store.js';
import { otherSites } from './other-sites.js';

const MARK = '3.0123abcd';
const PUT = { kind: 'put', revision: 1, headers: {}, at: 0 } as const;

/** What site `s0` is told of a dataset where there are so many. */
function told(spec: object, sites = 3) {
  const bus = new MemoryBus(new MemoryServer());
  const wanted = new WantedStore();
  const copies = new CopiesStore(
    wanted,
    new CopySetsStore(bus),
    new WrappedKeysStore(bus),
    new HomesStore(bus),
  );
  for (let n = 0; n < sites; n += 1)
    wanted.applySite({
      ...PUT,
      key: `s${n}`,
      value: { ...exampleSite(`s${n}`), account: `A-s${n}`, jurisdictions: [n === 1 ? 'us' : 'de'] },
    });
  const dataset = datasetOf(
    { project: 'shop', name: 'cart' },
    { type: 'keyvalue', conflicts: 'newest', ...spec },
  );
  copies.apply({ ...PUT, key: 'shop.cart', value: dataset });
  const site = wanted.site('s0');
  const records = { marks: { of: () => MARK } };
  return site && otherSites({ copies, wanted, records }, dataset, site);
}

describe('the other sites that a site gives records to', () => {
  it('are those with a copy', () => {
    expect(told({})).toEqual({
      mark: MARK,
      sites: [
        { site: 's1', account: 'A-s1' },
        { site: 's2', account: 'A-s2' },
      ],
    });
  });

  it('are none where no copy may be', () => {
    expect(told({ residency: { stay: ['de'] } })?.sites.map(({ site }) => site)).toEqual(['s2']);
    expect(told({ residency: { stay: ['us'] } })).toBeUndefined();
    expect(told({}, 1)).toBeUndefined();
  });

  it.each([
    ['of what is sealed', { encryption: { at: 'site' } }, 3],
    ['of what stays where it was written', { residency: { origin: { among: ['de', 'us'] } } }, 3],
    ['of files', { type: 'objects' }, 3],
    ['where there are more than one link should carry it to', {}, LIMITS.givenSites + 2],
  ])('are none %s', (_what, spec, sites) => {
    expect(told(spec, sites)).toBeUndefined();
  });

  it('may be as many as the limit', () => {
    expect(told({}, LIMITS.givenSites + 1)?.sites).toHaveLength(LIMITS.givenSites);
  });
});
