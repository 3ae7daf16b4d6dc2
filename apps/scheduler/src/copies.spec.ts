import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BUCKETS,
  datasetSchema,
  datasetSpecSchema,
  RPC,
  whySchema,
  type DatasetSpec,
} from '@skerry/contracts';
import { MemoryCloud, until, workloadOf } from './cloud.suite.js';

const AT = '2026-01-01T00:00:00.000Z';
let cloud: MemoryCloud;
beforeEach(async () => {
  cloud = await MemoryCloud.start();
  await cloud.putSite('a', { change: { jurisdictions: ['us'] } });
  await cloud.putSite('b', { change: { jurisdictions: ['eu'] } });
});
afterEach(async () => {
  await cloud.stop();
});

/** A workload that says it uses dataset `maps`. */
async function putReader(): Promise<void> {
  const { spec } = workloadOf('web');
  await cloud.putWorkload('web', {
    change: { spec: { ...spec, data: [{ dataset: 'maps', access: 'read' }] } },
  });
}

async function putMaps(spec: Partial<DatasetSpec>, generation = 1): Promise<void> {
  const value = datasetSchema.parse({
    kind: 'Dataset',
    project: 'shop',
    name: 'maps',
    labels: {},
    generation,
    incarnation: 1,
    spec: { ...datasetSpecSchema.parse({ type: 'keyvalue' }), ...spec },
    specDigest: `sha256:${'0'.repeat(64)}`,
    removed: false,
    createdAt: AT,
    updatedAt: AT,
    requestId: 'request-1',
    commandSequence: 1,
  });
  await cloud.bus.bucket(BUCKETS.datasets, (v) => datasetSchema.parse(v)).set('shop.maps', value);
}

describe('a workload that uses a dataset', () => {
  it('waits for it, runs where a copy may be, and goes along when that is another place', async () => {
    await putReader();
    await until('it is unplaceable', async () => (await cloud.placement('web'))?.state === 'unplaceable');
    expect(await cloud.placement('web')).toMatchObject({ failedChecks: { copies: 2 } });
    await putMaps({ residency: { stay: ['eu'] } });
    await cloud.placed('web', { b: 1 });
    await putMaps({ residency: { deny: ['eu'] } }, 2);
    await until('it is at a', async () => (await cloud.where('web'))?.['a'] === 1);
  });

  it('is explained by the dataset as it was when it was decided', async () => {
    await putMaps({ residency: { stay: ['eu'] } });
    await putReader();
    await cloud.placed('web', { b: 1 });
    // The decision log is written behind.
    const why = await until('it is in the log', async () => {
      const answer = await cloud.bus.request(RPC.why, { project: 'shop', name: 'web' });
      const said = whySchema.parse(answer.json());
      return said.from === 'recorded' ? said : undefined;
    });
    expect(why.reproduced).toBe(true);
    const abroad = why.sites.find(({ site }) => site === 'a');
    expect(abroad?.checks.find(({ check }) => check === 'copies')).toMatchObject({
      ok: false,
      has: 'maps: residency: stays in eu; the site is in us',
    });
  });
});
