import { describe, expect, it } from '@jest/globals';
import { datasetSchema, datasetSpecSchema, exampleSite, type Dataset } from '@skerry/contracts';
import { datasetIssues } from './dataset-rules.js';

const NOW = '2026-01-01T00:00:00.000Z';
const SITE = exampleSite('de', { kind: 'edge', jurisdictions: ['eu'] });

function datasetOf(spec: object): Dataset {
  return datasetSchema.parse({
    kind: 'Dataset',
    project: 'p',
    name: 'd',
    labels: {},
    generation: 1,
    incarnation: 1,
    spec: datasetSpecSchema.parse({ type: 'keyvalue', residency: { stay: ['eu'] }, ...spec }),
    specDigest: `sha256:${'0'.repeat(64)}`,
    removed: false,
    createdAt: NOW,
    updatedAt: NOW,
    requestId: 'request-1',
    commandSequence: 1,
  });
}

const issuesOf = (spec: object, { hub = ['us'], before }: { hub?: string[]; before?: object } = {}) =>
  datasetIssues(datasetOf(spec), before && datasetOf(before), { sites: () => [SITE], hubJurisdictions: hub });
const sealed = { encryption: { at: 'site' } };

describe('encryption of a dataset', () => {
  it('is the way where the hub may not read it, and the refusal names it', () => {
    const [issue, ...more] = issuesOf({});
    expect(more).toEqual([]);
    expect(issue).toMatchObject({
      path: 'spec.residency',
      allowed: expect.stringContaining('spec.encryption: {at: site}'),
    });
    expect(issuesOf(sealed)).toEqual([]);
    expect(issuesOf(sealed, { hub: ['eu'] })).toEqual([]);
  });

  it('is offered with every type', () => {
    expect(issuesOf({ ...sealed, type: 'objects' })).toEqual([]);
    expect(issuesOf({ ...sealed, type: 'log', log: { flow: 'mesh' } })).toEqual([]);
  });

  it('does not change while there are records', () => {
    const problems = (spec: object, before: object) =>
      issuesOf(spec, { hub: ['eu'], before }).map(({ path, problem }) => `${path}: ${problem}`);
    expect(problems(sealed, {})).toEqual(['spec.encryption: changed']);
    expect(problems({}, sealed)).toEqual(['spec.encryption: changed']);
    expect(problems(sealed, sealed)).toEqual([]);
  });
});
