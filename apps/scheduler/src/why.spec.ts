import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RPC, whySchema } from '@skerry/contracts';
import { MemoryCloud, until } from './cloud.suite.js';

let cloud: MemoryCloud;
beforeEach(async () => {
  cloud = await MemoryCloud.start();
});
afterEach(async () => {
  await cloud.stop();
});

describe('the scheduler', () => {
  it('says why, of every site, and whether the inputs have changed since', async () => {
    await cloud.putSite('a');
    await cloud.putSite('b', { change: { cordoned: true } });
    await cloud.putWorkload('web');
    await cloud.placed('web', { a: 1 });
    const why = async () =>
      whySchema.parse((await cloud.bus.request(RPC.why, { project: 'shop', name: 'web' })).json());
    const first = await why();
    expect(first).toMatchObject({ inputsChanged: false });
    expect(first.sites.map((s) => [s.site, s.chosen, s.rank])).toEqual([
      ['a', 1, 1],
      ['b', 0, undefined],
    ]);
    expect(first.sites[1]?.checks.filter((c) => !c.ok)).toMatchObject([
      { check: 'cordon', has: 'cordoned', remedy: 'uncordon b' },
    ]);
    await cloud.putSite('b');
    await until('the change is seen', async () => (await why()).inputsChanged);
    const unknown = cloud.bus.request(RPC.why, { project: 'shop', name: 'nobody' });
    await expect(unknown).rejects.toMatchObject({ code: 'not-found' });
  });

  it('explains an earlier decision as it was made, whatever has changed since', async () => {
    await cloud.putSite('a');
    await cloud.putSite('b', { cpuMillicores: 2_000 });
    await cloud.putWorkload('other', { rules: { sites: { required: { name: 'a' } } } });
    await cloud.placed('other', { a: 1 });
    await cloud.putWorkload('web');
    const first = await until('web is placed', () => cloud.placement('web'));
    const ask = async (query: object) =>
      whySchema.parse((await cloud.bus.request(RPC.why, { project: 'shop', name: 'web', ...query })).json());
    const fresh = await until('it is written', async () => {
      const why = await ask({});
      return why.from === 'recorded' && why;
    });
    expect(fresh).toMatchObject({ reproduced: true, inputsChanged: false });
    await cloud.putSite('a', { phase: 'lost' });
    await cloud.putSite('b', { phase: 'lost' });
    await cloud.putWorkload('other', { generation: 2, change: { removed: true } });
    await cloud.putWorkload('web', { generation: 2, cpuMillicores: 500 });
    const second = await cloud.inState('web', 'unplaceable');
    const again = await ask({ revision: first.version.revision });
    expect(again).toEqual({ ...fresh, inputsChanged: true });
    expect(await ask({ at: first.decidedAt })).toEqual(again);
    const newest = await until('the newest is written', async () => {
      const why = await ask({ revision: second.version.revision });
      return why.from === 'recorded' && why;
    });
    expect(newest).toMatchObject({ reproduced: true, placement: { state: 'unplaceable' } });
    await expect(ask({ revision: 99 })).rejects.toMatchObject({ code: 'not-found' });
    await expect(ask({ at: '2020-01-01T00:00:00.000Z' })).rejects.toMatchObject({ code: 'not-found' });
  });

  it('goes on when the log of decisions is lost, and says that it explains by what is known now', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    const first = await cloud.placed('web', { a: 1 });
    const ask = async (query: object) =>
      whySchema.parse((await cloud.bus.request(RPC.why, { project: 'shop', name: 'web', ...query })).json());
    await until('it is written', async () => (await ask({})).from === 'recorded');
    await cloud.bus.purge('KV_decisions', '$KV.decisions.>');
    await cloud.bus.purge('KV_inputs', '$KV.inputs.>');
    await cloud.putWorkload('web', { generation: 2 });
    const second = await until('the next generation is decided', async () => {
      const placement = await cloud.placement('web');
      return placement?.version.generation === 2 && placement;
    });
    const why = await ask({ revision: second.version.revision });
    expect([why.from, why.reproduced, why.sites.map((s) => s.site)]).toEqual(['current', undefined, ['a']]);
    const gone = ask({ revision: first.version.revision });
    await expect(gone).rejects.toMatchObject({ code: 'not-found' });
  });
});
