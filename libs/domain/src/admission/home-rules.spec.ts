import { describe, expect, it } from '@jest/globals';
import { datasetDocumentSchema, workloadDocumentSchema } from '@skerry/contracts';
import { homeIssues } from './home-rules.js';

const dataset = datasetDocumentSchema.parse({
  apiVersion: 'skerry/v1',
  kind: 'Dataset',
  metadata: { name: 'books', project: 'p' },
  spec: { type: 'keyvalue', conflicts: 'single-writer', home: { with: 'till' } },
});
const till = (spec: object) =>
  workloadDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name: 'till', project: 'p' },
    spec: { run: { driver: 'mock' }, ...spec },
  });
const problems = (...documents: ReturnType<typeof till>[]) =>
  homeIssues([dataset], documents, { dataset: () => undefined }).map(
    ({ path, problem }) => `${path}: ${problem}`,
  );

describe('a home that goes with a workload', () => {
  it('is one that comes with it, is single, and says that it writes: all that is wrong at once', () => {
    const data = [{ dataset: 'books', access: 'write' }];
    expect(problems(till({ type: 'singleton', data }))).toEqual([]);
    expect(problems()).toEqual(['dataset books: spec.home.with: there is no such workload in this command']);
    expect(problems(till({ data: [{ dataset: 'books', access: 'read' }] }))).toEqual([
      'dataset books: spec.home.with: it is of type service, of which two may run at a time',
      'dataset books: spec.home.with: it does not say that it writes the dataset',
    ]);
  });
});
