import { datasetSchema, datasetSpecSchema, type Dataset } from '@skerry/contracts';

const AT = '2026-05-01T12:00:00.000Z';

/** A dataset as policy keeps it, of its first generation and with these words of its own. */
export function datasetOf(
  own: Pick<Dataset, 'project' | 'name'> & Partial<Omit<Dataset, 'spec'>>,
  spec: object,
): Dataset {
  return datasetSchema.parse({
    kind: 'Dataset',
    labels: {},
    generation: 1,
    incarnation: 1,
    specDigest: `sha256:${'0'.repeat(64)}`,
    createdAt: AT,
    updatedAt: AT,
    requestId: 'request-1',
    commandSequence: 1,
    removed: false,
    ...own,
    spec: datasetSpecSchema.parse(spec),
  });
}
