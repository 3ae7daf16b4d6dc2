import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventFilter, eventSchema, planSchema, RPC, type SkerryEvent } from '@skerry/contracts';
import { MemoryCloud, refusalOf, runningAt, until, workloadOf } from './cloud.suite.js';

let cloud: MemoryCloud;
beforeEach(async () => {
  cloud = await MemoryCloud.start();
});
afterEach(async () => {
  await cloud.stop();
});

describe('the scheduler', () => {
  it('places what was admitted, and says who decided it from what', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web', { replicas: 2 });
    const placement = await cloud.placed('web', { a: 2 });
    expect(placement).toMatchObject({
      version: { term: 1, generation: 1, revision: 1 },
      requestId: 'request-1',
      inputs: { workload: expect.stringMatching(/^sha256:/), sites: expect.stringMatching(/^sha256:/) },
    });
    expect(placement.epoch).toBeGreaterThan(0);
  });

  it('has what could not be placed come back by itself when a site comes', async () => {
    await cloud.putWorkload('web');
    await cloud.inState('web', 'unplaceable');
    await cloud.putSite('a');
    expect((await cloud.placed('web', { a: 1 })).version.revision).toBe(2);
  });

  it('has what could not be placed come back when others leave room', async () => {
    await cloud.putSite('a', { cpuMillicores: 1_000 });
    await cloud.putWorkload('first');
    await cloud.placed('first', { a: 1 });
    await cloud.putWorkload('second');
    expect(await cloud.inState('second', 'unplaceable')).toMatchObject({ failedChecks: { capacity: 1 } });
    await cloud.putWorkload('first', { generation: 2, change: { removed: true } });
    await cloud.placed('second', { a: 1 });
    expect(await cloud.placement('first')).toMatchObject({ state: 'removed', shares: [] });
  });

  it('stops what an operator stopped, and places it again when started', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    await cloud.placed('web', { a: 1 });
    await cloud.putWorkload('web', { generation: 2, change: { stopped: true } });
    await cloud.inState('web', 'stopped');
    await cloud.putWorkload('web', { generation: 3 });
    expect(await cloud.placed('web', { a: 1 })).toMatchObject({ version: { generation: 3, revision: 3 } });
  });

  it('moves what ran at a site that is lost, and what must leave a site that leaves', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    await cloud.placed('web', { a: 1 });
    await cloud.putSite('b');
    await cloud.putSite('a', { phase: 'lost' });
    await cloud.placed('web', { b: 1 });
    await cloud.putSite('a');
    await cloud.putSite('b', { change: { membership: 'leaving' } });
    expect((await cloud.placed('web', { a: 1 })).failedChecks).toEqual({ membership: 1 });
  });

  it('replaces what runs by what is healthy now, not by what ran there before', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    const first = await cloud.placed('web', { a: 1 });
    await cloud.report(runningAt('a', 'web', first, 1));
    // From another time; that it has ended since is long on its way.
    await cloud.report(runningAt('b', 'web', first, 1));
    await cloud.putSite('b');
    await cloud.putSite('a', { change: { membership: 'leaving' } });
    const handing = await cloud.placed('web', { b: 1, a: 1 });
    await cloud.report({ ...runningAt('b', 'web', handing, 0), report: 2 });
    expect(await cloud.where('web')).toEqual({ b: 1, a: 1 });
    await cloud.report({ ...runningAt('b', 'web', handing, 1), report: 3 });
    await cloud.placed('web', { b: 1 });
  });

  it('waits with the replicas of a lost site as long as the workload says', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web', { rules: { onSiteLoss: { replaceAfterMs: 3_000 } } });
    await cloud.placed('web', { a: 1 });
    await cloud.putSite('b');
    const lostAt = Date.now();
    const heardAt = new Date(lostAt - 2_600).toISOString();
    await cloud.putSite('a', { phase: 'suspect', since: heardAt, state: { silentMs: 2_600 } });
    await cloud.placed('web', { b: 1 });
    expect(Date.now() - lostAt).toBeGreaterThanOrEqual(400);
  });

  it('has healthy originals go on when their site returns, once it has said so itself', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    const first = await cloud.placed('web', { a: 1 });
    await cloud.report(runningAt('a', 'web', first, 1));
    await cloud.putSite('b');
    await cloud.putSite('a', { phase: 'lost', state: { losses: 1 } });
    const second = await cloud.placed('web', { b: 1 });
    expect(second.shares).toMatchObject([{ site: 'b' }, { site: 'a', until: 'returned' }]);
    await cloud.report(runningAt('b', 'web', second, 1));
    await cloud.putSite('a', { state: { losses: 1 } });
    // What it said before it fell silent may not be so any more.
    await cloud.report({ ...runningAt('a', 'web', second, 1), report: 2 });
    await until('it is waited for', async () => {
      const deadline = (await cloud.placement('web'))?.shares[1]?.deadline;
      return deadline !== undefined && Date.parse(deadline) < Date.now() + 200_000;
    });
    await cloud.report({ ...runningAt('a', 'web', second, 1), report: 3, losses: 1 });
    expect((await cloud.placed('web', { a: 1 })).shares).toHaveLength(1);
  });

  it('places what lost its site and fits nowhere as soon as something changes, and says why not until then', async () => {
    await cloud.putSite('a');
    await cloud.putSite('b', { change: { cordoned: true } });
    await cloud.putWorkload('web');
    await cloud.placed('web', { a: 1 });
    await cloud.putSite('a', { phase: 'lost' });
    expect(await cloud.inState('web', 'unplaceable')).toMatchObject({
      failedChecks: { readiness: 1, cordon: 1 },
    });
    await cloud.putSite('b');
    await cloud.placed('web', { b: 1 });
  });

  it('runs no job again that a lost site has completed', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('done', { type: 'job' });
    await cloud.putWorkload('undone', { type: 'job' });
    const placement = await cloud.placed('done', { a: 1 });
    await cloud.placed('undone', { a: 1 });
    const report = runningAt('a', 'done', placement, 1);
    const replicas = report.replicas.map((r) => ({ ...r, phase: 'completed' as const }));
    await cloud.report({ ...report, replicas });
    await cloud.putSite('b');
    await cloud.putSite('a', { phase: 'lost' });
    await cloud.placed('undone', { b: 1 });
    expect(await cloud.placement('done')).toMatchObject({
      shares: [{ site: 'a' }],
      version: { revision: 1 },
    });
  });

  it('goes elsewhere when a site refuses, and comes back when its capacity has changed', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    const first = await cloud.placed('web', { a: 1 });
    await cloud.report(refusalOf('a', 'web', first, 1));
    expect(await cloud.inState('web', 'unplaceable')).toMatchObject({
      rejected: [{ site: 'a', failed: { check: 'refused', needs: '64 MiB' } }],
    });
    await cloud.putSite('a', { cpuMillicores: 8_000 });
    expect((await cloud.placed('web', { a: 1 })).version.revision).toBe(3);
  });

  it('does not take an old refusal for an answer to what it asked since', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    const first = await cloud.placed('web', { a: 1 });
    await cloud.putWorkload('web', { generation: 2, replicas: 2 });
    await cloud.placed('web', { a: 2 });
    await cloud.report(refusalOf('a', 'web', first, 1));
    await cloud.putWorkload('after');
    await cloud.placed('after', { a: 1 });
    expect(await cloud.where('web')).toEqual({ a: 2 });
  });

  it('never takes more than there is, however many come at once', async () => {
    await cloud.putSite('a', { cpuMillicores: 7_000 });
    await cloud.putSite('b', { cpuMillicores: 5_000 });
    const names = Array.from({ length: 30 }, (_, i) => `w${i}`);
    await Promise.all(names.map((name) => cloud.putWorkload(name)));
    const placements = await Promise.all(
      names.map((name) => until(`${name} decided`, () => cloud.placement(name))),
    );
    const taken: Record<string, number> = {};
    for (const s of placements.flatMap((p) => p.shares)) taken[s.site] = (taken[s.site] ?? 0) + s.replicas;
    expect(taken).toEqual({ a: 7, b: 5 });
    expect(placements.filter((p) => p.state === 'unplaceable')).toHaveLength(18);
  });

  it('announces each decision once, with what it changed', async () => {
    const events: SkerryEvent[] = [];
    const sub = await cloud.bus.follow('EVT', (m) => void events.push(eventIn(m.json())), {
      filters: [eventFilter('workload')],
    });
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    await cloud.placed('web', { a: 1 });
    await cloud.putSite('b');
    await cloud.putSite('a', { phase: 'lost' });
    await cloud.placed('web', { b: 1 });
    await cloud.putSite('b', { phase: 'lost' });
    await cloud.inState('web', 'unplaceable');
    await until('three events', async () => events.length >= 3);
    expect(events.map((e) => e.id)).toEqual([
      'workload.placed/shop/web/1.1.1',
      'workload.moved/shop/web/1.1.2',
      'workload.unplaceable/shop/web/1.1.3',
    ]);
    await sub.drain();
  });

  it('plans each workload on what those before it would take, and commits nothing', async () => {
    await cloud.putSite('a', { cpuMillicores: 3_000 });
    await cloud.putWorkload('web', { replicas: 2 });
    await cloud.placed('web', { a: 2 });
    const items = [
      { change: 'update', workload: workloadOf('web', { generation: 2, replicas: 1 }) },
      { change: 'create', workload: workloadOf('big', { replicas: 2 }) },
      { change: 'create', workload: workloadOf('more') },
    ];
    for (let again = 0; again < 2; again += 1) {
      const plan = planSchema.parse((await cloud.bus.request(RPC.plan, { items })).json());
      expect(plan.items.map((i) => [i.name, i.placement.state, i.moves])).toEqual([
        ['web', 'placed', [{ site: 'a', before: 2, after: 1 }]],
        ['big', 'placed', [{ site: 'a', before: 0, after: 2 }]],
        ['more', 'unplaceable', []],
      ]);
    }
    expect(await cloud.where('web')).toEqual({ a: 2 });
    expect(await cloud.placement('big')).toBeUndefined();
  });

  it('passes over a value that is not what it should be, and goes on', async () => {
    await cloud.bus.publish('$KV.workloads.shop.broken', { kind: 'Workload' });
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    await cloud.placed('web', { a: 1 });
    expect(cloud.lines.some((line) => line.includes('shop.broken'))).toBe(true);
  });
});

function eventIn(value: unknown): SkerryEvent {
  return eventSchema.parse(value);
}
