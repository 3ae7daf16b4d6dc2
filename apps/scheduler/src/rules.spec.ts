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

describe('preemption', () => {
  const high = { rules: { priority: 10, preempts: true } };

  it('takes the room of lower priority, says so, and has the victim look for another place', async () => {
    await cloud.putSite('a', { cpuMillicores: 1_000 });
    await cloud.putWorkload('low');
    await cloud.placed('low', { a: 1 });
    await cloud.putWorkload('high', high);
    expect(await cloud.placed('high', { a: 1 })).toMatchObject({
      state: 'placed',
      preempted: [{ project: 'shop', name: 'low', site: 'a', replicas: 1 }],
    });
    await cloud.placed('low', {});
    expect(await cloud.placement('low')).toMatchObject({
      state: 'unplaceable',
      failedChecks: { capacity: 1 },
    });
    await cloud.putSite('b');
    await cloud.placed('low', { b: 1 });
    expect(await cloud.where('high')).toEqual({ a: 1 });
  });

  it('is remembered: the decision can be made again from its inputs', async () => {
    await cloud.putSite('a', { cpuMillicores: 2_000 });
    await cloud.putWorkload('low', { replicas: 2 });
    await cloud.placed('low', { a: 2 });
    await cloud.putWorkload('high', high);
    const { version } = await cloud.placed('high', { a: 1 });
    await cloud.placed('low', { a: 1 });
    const asked = { project: 'shop', name: 'high', revision: version.revision };
    const answer = await until('the log has it', async () => {
      const why = whySchema.safeParse((await cloud.bus.request(RPC.why, asked)).json());
      return why.success && why.data.reproduced === true && why.data;
    });
    expect(answer.placement?.preempted).toHaveLength(1);
  });
});

describe('workloads that mind each other', () => {
  it('follow, once the other is placed, and when it moves', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web', { rules: { affinity: [{ workload: 'db' }] } });
    await until('web waits', async () => (await cloud.placement('web'))?.state === 'unplaceable');
    await cloud.putWorkload('db');
    await cloud.placed('web', { a: 1 });
    await cloud.putSite('b');
    await cloud.putSite('a', { change: { draining: true } });
    await cloud.placed('db', { b: 1 });
    expect(await cloud.placed('web', { b: 1 })).toMatchObject({ state: 'placed' });
  });
});

describe('a daemon', () => {
  it('comes to every site that joins, unless its taint is not tolerated', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('watch', { type: 'daemon' });
    await cloud.placed('watch', { a: 1 });
    await cloud.putSite('b');
    await cloud.placed('watch', { a: 1, b: 1 });
    await cloud.putSite('c', { change: { taints: [{ key: 'quiet', value: '', effect: 'no-run' }] } });
    await cloud.putSite('d');
    expect(await cloud.placed('watch', { a: 1, b: 1, d: 1 })).toMatchObject({ wanted: 3 });
  });
});

it('what runs at a site goes elsewhere once the site says that all its nodes are to be emptied', async () => {
  await cloud.putSite('a');
  await cloud.putWorkload('web');
  await cloud.placed('web', { a: 1 });
  await cloud.putSite('b');
  await cloud.putSite('a', { state: { standing: 'draining' } });
  expect(await cloud.placed('web', { b: 1 })).toMatchObject({ state: 'placed', wanted: 1 });
});

it('a singleton that leaves a living site begins elsewhere only after that one', async () => {
  await cloud.putSite('a');
  await cloud.putWorkload('lead', { type: 'singleton' });
  await cloud.placed('lead', { a: 1 });
  await cloud.putSite('b');
  await cloud.putSite('a', { change: { draining: true } });
  expect(await cloud.placed('lead', { b: 1 })).toMatchObject({ after: ['a'] });
});
