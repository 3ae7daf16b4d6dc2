import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { workloadSpecSchema } from '@skerry/contracts';
import { OWNERSHIP_ENDED_AFTER_MS } from '@skerry/domain';
import { MemoryCloud, until } from './cloud.suite.js';

let cloud: MemoryCloud;
beforeEach(async () => {
  cloud = await MemoryCloud.start();
});
afterEach(async () => {
  await cloud.stop();
});

const singleton = (more: object) =>
  workloadSpecSchema.parse({ type: 'singleton', ...more, resources: { cpuMillicores: 1, memoryMiB: 1 } });

describe('the scheduler', () => {
  it('gives a singleton away when its lease has run out by what inventory said, and its owner’s epoch rises', async () => {
    await cloud.putSite('a');
    const run = { run: { driver: 'mock', stop: { graceMs: 0 } } };
    await cloud.putWorkload('lead', { type: 'singleton', change: { spec: singleton(run) } });
    expect(await cloud.placed('lead', { a: 1 })).toMatchObject({ owner: { site: 'a', epoch: 1, losses: 0 } });
    await cloud.putSite('b');
    const silentMs = OWNERSHIP_ENDED_AFTER_MS - 400;
    const lostAt = Date.now();
    // When it was last heard by inventory's clock, which is far off, is of no interest.
    const lastHeartbeatAt = '2020-01-01T00:00:00.000Z';
    await cloud.putSite('a', { phase: 'lost', state: { silentMs, losses: 1, lastHeartbeatAt } });
    expect(await cloud.placed('lead', { b: 1 })).toMatchObject({ owner: { site: 'b', epoch: 2 } });
    expect(Date.now() - lostAt).toBeGreaterThanOrEqual(399);
  });

  it.each([
    { what: 'is lost', change: { draining: true } },
    { what: 'was forced out', change: { membership: 'removed' as const } },
  ])(
    'waits for the end of a singleton no longer than its lease when the site it leaves $what',
    async ({ change }) => {
      await cloud.putSite('a');
      await cloud.putWorkload('lead', {
        type: 'singleton',
        change: { spec: singleton({ run: { driver: 'mock' } }) },
      });
      await cloud.placed('lead', { a: 1 });
      await cloud.putSite('b');
      await cloud.putSite('a', { change: { draining: true } });
      expect(await cloud.placed('lead', { b: 1 })).toMatchObject({
        after: ['a'],
        owner: { site: 'b', epoch: 2 },
      });
      const lostAt = Date.now();
      const state = { silentMs: OWNERSHIP_ENDED_AFTER_MS - 400, losses: 1 };
      await cloud.putSite('a', { phase: 'lost', state, change: { draining: true } });
      await cloud.putSite('a', { phase: 'lost', state, change });
      await until('nothing is waited for', async () => (await cloud.placement('lead'))?.after === undefined);
      expect(Date.now() - lostAt).toBeGreaterThanOrEqual(399);
      expect(await cloud.placement('lead')).toMatchObject({ shares: [{ site: 'b' }], owner: { epoch: 2 } });
    },
  );

  it('waits for the end of a singleton at a site that is forced out though it is heard', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('lead', {
      type: 'singleton',
      change: { spec: singleton({ run: { driver: 'mock' } }) },
    });
    await cloud.placed('lead', { a: 1 });
    await cloud.putSite('b');
    await cloud.putSite('a', { change: { membership: 'removed' } });
    expect(await cloud.placed('lead', { b: 1 })).toMatchObject({
      after: ['a'],
      owner: { site: 'b', epoch: 2 },
    });
  });
});
