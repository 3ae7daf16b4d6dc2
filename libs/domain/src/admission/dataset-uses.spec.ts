import { describe, expect, it } from '@jest/globals';
import { workloadSpecSchema, type DatasetSpec } from '@skerry/contracts';
import { datasetUseIssues } from './dataset-uses.js';

type Known = Pick<DatasetSpec, 'type' | 'residency'>;
const SITES = [{ jurisdictions: ['eu', 'de'] }, { jurisdictions: ['us'] }];

function issues(known: Record<string, Known>, residency?: object, data: object[] = [{ dataset: 'maps' }]) {
  const spec = workloadSpecSchema.parse({
    run: { driver: 'mock' },
    data,
    ...(residency === undefined ? {} : { placement: { residency } }),
  });
  return datasetUseIssues(
    { project: 'p', name: 'w', spec },
    { dataset: (name) => known[name], sites: () => SITES },
  ).map(({ path, problem }) => `${path}: ${problem}`);
}

describe('datasets that a workload says it uses', () => {
  it('have to be there, in its project and of a type that can be used so', () => {
    expect(issues({})).toEqual(['spec.data[0].dataset: there is no such dataset']);
    expect(issues({ maps: { type: 'log' } })).toEqual([
      'spec.data[0].dataset: not yet offered for a dataset of type log',
    ]);
    expect(issues({ maps: { type: 'keyvalue' } })).toEqual([]);
  });

  it('may be in a place where the workload may be: two rules that no place obeys are refused, and both are named', () => {
    const stay = { maps: { type: 'keyvalue' as const, residency: { stay: ['eu'] } } };
    expect(issues(stay, { deny: ['eu'] })).toEqual([
      'spec.data[0].dataset (residency): it stays in eu, where the workload may not run',
    ]);
    expect(issues(stay, { allow: ['us'] })).toEqual([
      'spec.data[0].dataset (residency): it stays in eu, and the workload runs in us alone',
    ]);
    const deny = { maps: { type: 'keyvalue' as const, residency: { deny: ['us'] } } };
    expect(issues(deny, { allow: ['us'] })).toEqual([
      'spec.data[0].dataset (residency): it may not be in us, where alone the workload may run',
    ]);
    // One site is in both.
    expect(issues(stay, { allow: ['de'] })).toEqual([]);
    expect(issues(stay)).toEqual([]);
  });

  it('are named once each', () => {
    expect(() => issues({}, undefined, [{ dataset: 'maps' }, { dataset: 'maps', access: 'write' }])).toThrow(
      'each dataset once',
    );
  });
});
