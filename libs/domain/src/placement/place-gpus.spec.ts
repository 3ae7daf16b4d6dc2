import { describe, expect, it } from '@jest/globals';
import type { Workload } from '@skerry/contracts';
import { cloud, request, site, workload } from './example-cloud.suite.js';
import { explain } from './explain.js';
import { place } from './place.js';
import { siteFacts } from './site-facts.js';
import type { SiteFacts } from './types.js';

const withGpus = (name: string, gpus: number, gpuModel: string): SiteFacts => {
  const facts = site({ name, more: { prices: { gpuMonth: 100 } } });
  const { state } = facts;
  if (!state) throw new Error('a site of the examples is ready');
  const shapes = state.capacity.shapes.map((shape) => ({ ...shape, gpus, gpuModel }));
  return siteFacts(facts.site, { ...state, capacity: { ...state.capacity, shapes } });
};
const wants = (gpu: object, replicas = 1): Workload =>
  workload({ rules: { replicas }, more: { resources: { cpuMillicores: 100, memoryMiB: 64, gpu } } });
const sites = [site({ name: 'plain' }), withGpus('small', 2, 'T4'), withGpus('large', 8, 'A100')];
const where = (asked: Workload, snapshot = cloud(sites)) => {
  const { state, shares, costPerMonth } = place(request(asked), snapshot);
  return { state, costPerMonth, shares: Object.fromEntries(shares.map((s) => [s.site, s.replicas])) };
};

describe('placing what needs GPUs', () => {
  it('goes where there are enough on one node, and costs what they cost', () => {
    expect(where(wants({ count: 3 }))).toEqual({ state: 'placed', costPerMonth: 300, shares: { large: 1 } });
    expect(where(wants({ models: ['T4'] }))).toMatchObject({ shares: { small: 1 } });
    expect(where(wants({ shareMilli: 250, models: ['T4', 'V100'] }, 8))).toEqual({
      state: 'placed',
      costPerMonth: 200,
      shares: { small: 8 },
    });
    expect(where(wants({ shareMilli: 600 }, 20))).toMatchObject({
      state: 'partial',
      shares: { small: 2, large: 8 },
    });
  });

  it('says of each site what is short', () => {
    const asked = request(wants({ count: 4, models: ['T4'] }));
    const decision = place(asked, cloud(sites));
    expect(decision).toMatchObject({ state: 'unplaceable', failedChecks: { capacity: 3 } });
    const of = explain(asked, cloud(sites)).find((s) => s.site === 'small');
    expect(of?.checks.find((c) => c.check === 'capacity')).toMatchObject({
      ok: false,
      needs: '100 millicores, 64 MiB, 4 whole GPUs of T4 free on one node for each replica',
    });
  });

  it('sees what others hold, GPU by GPU', () => {
    const snapshot = cloud(sites);
    const share = { cpuMillicores: 1, memoryMiB: 1, diskMiB: 0, gpu: { count: 1, shareMilli: 100 } };
    snapshot.ledger.hold('p.a', share, [{ site: 'small', replicas: 1 }]);
    expect(where(wants({ count: 2, models: ['T4'] }), snapshot).state).toBe('unplaceable');
    expect(where(wants({ count: 1, models: ['T4'] }), snapshot).state).toBe('placed');
  });
});
