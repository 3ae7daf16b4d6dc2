import { describe, expect, it } from '@jest/globals';
import { workloadSpecSchema, type DatasetSpec } from '@skerry/contracts';
import { datasetUseIssues } from './dataset-uses.js';

type Known = Pick<DatasetSpec, 'type' | 'residency' | 'home' | 'log'>;
const SITES = [{ jurisdictions: ['eu', 'de'] }, { jurisdictions: ['us'] }];

function issues(
  known: Record<string, Known>,
  residency?: object,
  data: object[] = [{ dataset: 'maps' }],
  type = 'service',
) {
  const spec = workloadSpecSchema.parse({
    type,
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
  it('have to be there, in its project', () => {
    expect(issues({})).toEqual(['spec.data[0].dataset: there is no such dataset']);
    expect(issues({ maps: { type: 'keyvalue' } })).toEqual([]);
  });

  it('may be logs, written where they are written', () => {
    const [read, write] = [[{ dataset: 'maps' }], [{ dataset: 'maps', access: 'write' }]];
    const flow = (name: 'collect' | 'broadcast' | 'mesh') => ({
      maps: { type: 'log' as const, log: { flow: name } },
    });
    for (const name of ['collect', 'mesh'] as const)
      for (const data of [read, write]) expect(issues(flow(name), undefined, data)).toEqual([]);
    expect(issues(flow('broadcast'), undefined, read)).toEqual([]);
    expect(issues(flow('broadcast'), undefined, write)).toEqual([
      'spec.data[0].access: entries of maps are written at the centre (log.flow: broadcast)',
    ]);
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

  it('are written by the workload that their home goes with, and by that as long as one runs at a time', () => {
    const write = [{ dataset: 'maps', access: 'write' }];
    const homeWith = (name: string) => ({ maps: { type: 'keyvalue' as const, home: { with: name } } });
    expect(issues(homeWith('w'), undefined, write, 'singleton')).toEqual([]);
    expect(issues(homeWith('w'), undefined, write)).toEqual([
      'spec.type: the home of maps goes with it, and of type service two may run at a time',
    ]);
    expect(issues(homeWith('w'))).toEqual([]);
    expect(issues(homeWith('till'), undefined, write, 'singleton')).toEqual([
      'spec.data[0].access: only till writes maps, whose home goes with it',
    ]);
  });

  it('are named once each', () => {
    expect(() => issues({}, undefined, [{ dataset: 'maps' }, { dataset: 'maps', access: 'write' }])).toThrow(
      'each dataset once',
    );
  });
});
