import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RPC, whySchema, type DatasetSpec } from '@skerry/contracts';
import { datasetOf, MemoryCloud, readerOf, until } from './cloud.suite.js';

let cloud: MemoryCloud;
beforeEach(async () => {
  cloud = await MemoryCloud.start();
  await cloud.putSite('a', { change: { jurisdictions: ['us'] } });
  await cloud.putSite('b', { change: { jurisdictions: ['eu'] } });
});
afterEach(async () => {
  await cloud.stop();
});

const putReader = () => cloud.putWorkload('web', { change: readerOf('web', 'maps') });
const putMaps = (spec: Partial<DatasetSpec>, generation = 1) =>
  cloud.putDataset(datasetOf('maps', spec, generation));

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
