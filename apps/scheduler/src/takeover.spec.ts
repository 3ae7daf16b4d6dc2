import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BUCKETS, EPOCH_KEY } from '@skerry/contracts';
import { MemoryCloud, until } from './cloud.suite.js';

let cloud: MemoryCloud;
beforeEach(async () => {
  cloud = await MemoryCloud.start();
});
afterEach(async () => {
  await cloud.stop();
});

describe('schedulers', () => {
  it('hand over when the active one stops, and the next knows what was taken', async () => {
    await cloud.startScheduler('standby');
    await cloud.putSite('a', { cpuMillicores: 2_000 });
    await cloud.putWorkload('first');
    const before = await cloud.placed('first', { a: 1 });
    await cloud.running[0]?.stop();
    await cloud.putWorkload('second');
    const after = await cloud.placed('second', { a: 1 });
    expect(after.epoch).toBeGreaterThan(before.epoch);
    await cloud.putWorkload('third');
    await cloud.inState('third', 'unplaceable');
  });

  it('say everything anew in a higher term of the hub', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    await cloud.placed('web', { a: 1 });
    await cloud.running[0]?.stop();
    await cloud.startScheduler('restored', { SKERRY_HUB_TERM: '2' });
    const again = await until('a version of term 2', async () => {
      const placement = await cloud.placement('web');
      return placement?.version.term === 2 && placement;
    });
    expect(again).toMatchObject({
      version: { term: 2, generation: 1, revision: 2 },
      shares: [{ site: 'a' }],
    });
  });

  it('go on in the term that a restore has left beside the placements, and so do those after them', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    await cloud.placed('web', { a: 1 });
    await cloud.running[0]?.stop();
    const epochs = cloud.bus.bucket<unknown>(BUCKETS.placements, (value) => value);
    await epochs.set(EPOCH_KEY, {
      kind: 'Epoch',
      instance: 'restore',
      at: new Date().toISOString(),
      term: 7,
    });
    for (const instance of ['restored', 'next']) {
      await cloud.startScheduler(instance);
      await until('a version of term 7', async () => (await cloud.placement('web'))?.version.term === 7);
      await until('its mark', async () =>
        JSON.stringify((await epochs.get(EPOCH_KEY))?.value).includes(`"instance":"${instance}`),
      );
      expect((await epochs.get(EPOCH_KEY))?.value).toMatchObject({ term: 7 });
      await cloud.running.at(-1)?.stop();
    }
  });
});
