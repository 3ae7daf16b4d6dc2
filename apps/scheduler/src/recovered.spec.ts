import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryCloud } from './cloud.suite.js';

/** Long enough that it is not over before it is looked at, on a busy machine too. */
const GATHERS_MS = 1_500;

describe('what sites hold and a restored hub has learned of again', () => {
  let cloud: MemoryCloud;
  beforeEach(async () => {
    cloud = await MemoryCloud.start();
    for (const name of ['a', 'b', 'c']) await cloud.putSite(name);
  });
  afterEach(async () => await cloud.stop());

  const told = (from: Record<string, number>, gathersMs: number) => ({
    from: Object.entries(from).map(([site, replicas]) => ({ site, replicas })),
    until: new Date(Date.now() + gathersMs).toISOString(),
  });

  it('is placed where it runs, once all its sites may have said so', async () => {
    const change = (from: Record<string, number>) => ({
      replicas: 3,
      change: { recovered: told(from, GATHERS_MS) },
    });
    await cloud.putWorkload('web', change({ c: 1 }));
    await cloud.putWorkload('other', {});
    await cloud.inState('other', 'placed');
    expect(await cloud.placement('web')).toBeUndefined();
    await cloud.putWorkload('web', change({ b: 2, c: 1 }));
    const placement = await cloud.placed('web', { b: 2, c: 1 });
    expect(placement.state).toBe('placed');
  });

  it('is given what it lacks when not all of it runs, and moves when it may not stay', async () => {
    await cloud.putWorkload('half', { replicas: 2, change: { recovered: told({ c: 1 }, 0) } });
    const placement = await cloud.inState('half', 'placed');
    expect(placement.shares.find(({ site }) => site === 'c')?.replicas).toBeGreaterThan(0);
    const rules = { sites: { required: { name: 'a' } } };
    await cloud.putWorkload('banned', { rules, change: { recovered: told({ b: 1 }, 0) } });
    await cloud.placed('banned', { a: 1 });
  });
});
