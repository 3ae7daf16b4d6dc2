import { describe, expect, it } from '@jest/globals';
import { copiesSchema, type NeededDataset } from '@skerry/contracts';
import * as fc from 'fast-check';
import { cloud, request, site, workload } from './example-cloud.suite.js';
import { explain } from './explain.js';
import { lint } from './lint.js';
import { place } from './place.js';

type Rule = NonNullable<NeededDataset['rule']>;

const rule = (change: Partial<Rule> = {}): Rule => ({
  conflicts: 'newest',
  copies: copiesSchema.parse({}),
  ...change,
});
const needs = (change: Partial<NeededDataset> = {}): NeededDataset[] => [
  { dataset: 'maps', access: 'read', rule: rule(), ...change },
];
const three = () =>
  cloud([
    site({ name: 'de', jurisdictions: ['eu'] }),
    site({ name: 'fr', jurisdictions: ['eu'], cpuCoreMonth: 1 }),
    site({ name: 'us', jurisdictions: ['us'], labels: { disk: 'ssd' } }),
  ]);
const sitesOf = (data: readonly NeededDataset[] | undefined, rules: object = { replicas: 1 }, present = {}) =>
  place(
    request(workload({ rules: { ...rules } }), {
      present: new Map(Object.entries(present)),
      ...(data ? { data } : {}),
    }),
    three(),
  ).shares.map((s) => s.site);

describe('a workload that uses a dataset', () => {
  it('runs only where residency lets a copy be, and is told why not elsewhere', () => {
    const data = needs({ rule: rule({ residency: { stay: ['us'] } }) });
    expect(sitesOf(data)).toEqual(['us']);
    const asked = request(workload(), { data });
    const said = explain(asked, three()).find((s) => s.site === 'de');
    expect(said?.checks.find((c) => c.check === 'copies')).toEqual({
      check: 'copies',
      ok: false,
      has: 'maps: residency: stays in us; the site is in eu',
      needs: 'a copy of maps',
    });
  });

  it('runs only where the dataset says that copies are', () => {
    const matching = copiesSchema.parse({
      at: 'matching',
      match: [{ label: 'disk', op: 'in', values: ['ssd'] }],
    });
    expect(sitesOf(needs({ rule: rule({ copies: matching }) }))).toEqual(['us']);
  });

  it('and writes what one site alone writes, runs there', () => {
    const single = rule({ conflicts: 'single-writer', home: 'fr' });
    expect(sitesOf(needs({ rule: single, access: 'write' }))).toEqual(['fr']);
    expect(sitesOf(needs({ rule: single }))).toEqual(['de']);
  });

  it('prefers a site that holds a copy, as it prefers a label', () => {
    expect(sitesOf(needs({ at: ['fr'] }))).toEqual(['fr']);
    expect(sitesOf(needs({ at: [] }))).toEqual(['de']);
  });

  it('begins nowhere while the dataset is not known, and stays where it runs', () => {
    const unknown: NeededDataset[] = [{ dataset: 'maps', access: 'read' }];
    expect(sitesOf(unknown)).toEqual([]);
    expect(sitesOf(unknown, { replicas: 1 }, { fr: 1 })).toEqual(['fr']);
  });

  it('never runs where it has no copy, and every other decision is as if there were no datasets', () => {
    const jurisdictions = fc.subarray(['eu', 'us', 'jp']);
    const scene = fc.record({
      sites: fc.array(fc.record({ jurisdictions, cpuCoreMonth: fc.integer({ min: 0, max: 9 }) }), {
        minLength: 1,
        maxLength: 6,
      }),
      stay: fc.subarray(['eu', 'us', 'jp'], { minLength: 1 }),
      replicas: fc.integer({ min: 1, max: 6 }),
    });
    fc.assert(
      fc.property(scene, ({ sites, stay, replicas }) => {
        const snapshot = cloud(sites.map((s, i) => site({ ...s, name: `s${i}` })));
        const asked = workload({ rules: { replicas } });
        const data = needs({ rule: rule({ residency: { stay } }) });
        const made = place(request(asked, { data }), snapshot);
        expect(lint(made, request(asked, { data }), snapshot)).toEqual([]);
        for (const share of made.shares)
          expect(
            sites[Number(share.site.slice(1))]?.jurisdictions.some((j) => stay.some((s) => s === j)),
          ).toBe(true);
        // A dataset that may be anywhere changes nothing.
        const free = place(request(asked, { data: needs() }), snapshot);
        expect(free).toEqual(place(request(asked), snapshot));
      }),
      { numRuns: 60 },
    );
  });
});
