import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryCloud } from './cloud.suite.js';

/** Is not over before it is looked at, on a busy machine too. */
const GATHERS_MS = 60_000;

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
    const runs = (from: Record<string, number>, gathersMs: number) => ({
      replicas: 3,
      change: { recovered: told(from, gathersMs) },
    });
    await cloud.putWorkload('web', runs({ c: 1 }, GATHERS_MS));
    await cloud.putWorkload('other', {});
    await cloud.inState('other', 'placed');
    expect(await cloud.placement('web')).toBeUndefined();
    await cloud.putWorkload('web', runs({ b: 2, c: 1 }, 0));
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
