import { describe, expect, it } from '@jest/globals';
import { LIMITS, planSchema, type PlannedDataset } from '@skerry/contracts';
import { planOf } from './plan-of.js';

const FIGURES = { replicas: 0, costPerMonth: 0 };

/** A dataset with a copy at the first of its sites; of the others one has a copy, which goes. */
function plannedAt(name: string, sites: number): PlannedDataset {
  const others = Array.from({ length: sites - 1 }, (_, i) => ({
    site: `site-${i}`,
    now: i === sites - 2,
    why: 'residency: stays in eu; the site is in us',
  }));
  const rule = `copies at ${'a-site, '.repeat(sites)}`;
  return {
    project: 'shop',
    name,
    change: 'update',
    rule,
    copies: [{ site: 'first', now: true }],
    without: others,
  };
}

describe('a plan of datasets', () => {
  it('fits one message however many sites there are, and says how many it leaves out', () => {
    const names = Array.from({ length: LIMITS.documentsPerCommand }, (_, i) => `dataset-${i}`);
    const datasets = names.map((name) => plannedAt(name, 500));
    const parts = { before: FIGURES, after: FIGURES, untouched: 0, datasets };
    const plan = planOf({ kind: 'apply' }, names, [], parts);
    expect(planSchema.safeParse(plan).success).toBe(true);
    expect(JSON.stringify(plan).length).toBeLessThan(LIMITS.messageBytes * 0.75);
    for (const { copies, without, omitted } of plan.datasets ?? []) {
      expect(copies).toEqual([{ site: 'first', now: true }]);
      // What goes is told before what was never there.
      expect(without[0]?.now).toBe(true);
      expect(omitted).toEqual({ copies: 0, without: 499 - without.length });
    }
  });

  it('tells all of them when they fit', () => {
    const datasets = [plannedAt('maps', 20)];
    const plan = planOf({ kind: 'apply' }, [], [], {
      before: FIGURES,
      after: FIGURES,
      untouched: 0,
      datasets,
    });
    expect(plan.datasets?.[0]?.without).toHaveLength(19);
    expect(plan.datasets?.[0]).not.toHaveProperty('omitted');
  });
});
