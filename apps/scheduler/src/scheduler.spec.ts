import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BUCKETS,
  EPOCH_KEY,
  eventFilter,
  eventSchema,
  planSchema,
  RPC,
  whySchema,
  workloadSpecSchema,
  type SkerryEvent,
} from '@skerry/contracts';
import { OWNERSHIP_ENDED_AFTER_MS } from '@skerry/domain';
import { MemoryCloud, refusalOf, runningAt, until, workloadOf } from './cloud.suite.js';

let cloud: MemoryCloud;
beforeEach(async () => {
  cloud = await MemoryCloud.start();
});
afterEach(async () => {
  await cloud.stop();
});

const placed = (name: string, where: Record<string, number>) =>
  until(`${name} at ${JSON.stringify(where)}`, async () => {
    const placement = await cloud.placement(name);
    // Without what waits for its site to return.
    const there = (placement?.shares ?? []).filter((s) => s.until !== 'returned');
    const counts = Object.fromEntries(there.map((s) => [s.site, s.replicas]));
    return JSON.stringify(counts) === JSON.stringify(where) && placement;
  });
const singleton = (more: object) =>
  workloadSpecSchema.parse({ type: 'singleton', ...more, resources: { cpuMillicores: 1, memoryMiB: 1 } });
const inState = (name: string, state: string) =>
  until(`${name} is ${state}`, async () => {
    const placement = await cloud.placement(name);
    return placement?.state === state && placement;
  });

describe('the scheduler', () => {
  it('places what was admitted, and says who decided it from what', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web', { replicas: 2 });
    const placement = await placed('web', { a: 2 });
    expect(placement).toMatchObject({
      version: { term: 1, generation: 1, revision: 1 },
      requestId: 'request-1',
      inputs: { workload: expect.stringMatching(/^sha256:/), sites: expect.stringMatching(/^sha256:/) },
    });
    expect(placement.epoch).toBeGreaterThan(0);
  });

  it('has what could not be placed come back by itself when a site comes', async () => {
    await cloud.putWorkload('web');
    await inState('web', 'unplaceable');
    await cloud.putSite('a');
    expect((await placed('web', { a: 1 })).version.revision).toBe(2);
  });

  it('has what could not be placed come back when others leave room', async () => {
    await cloud.putSite('a', { cpuMillicores: 1_000 });
    await cloud.putWorkload('first');
    await placed('first', { a: 1 });
    await cloud.putWorkload('second');
    expect(await inState('second', 'unplaceable')).toMatchObject({ failedChecks: { capacity: 1 } });
    await cloud.putWorkload('first', { generation: 2, change: { removed: true } });
    await placed('second', { a: 1 });
    expect(await cloud.placement('first')).toMatchObject({ state: 'removed', shares: [] });
  });

  it('stops what an operator stopped, and places it again when started', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    await placed('web', { a: 1 });
    await cloud.putWorkload('web', { generation: 2, change: { stopped: true } });
    await inState('web', 'stopped');
    await cloud.putWorkload('web', { generation: 3 });
    expect(await placed('web', { a: 1 })).toMatchObject({ version: { generation: 3, revision: 3 } });
  });

  it('moves what ran at a site that is lost, and what must leave a site that leaves', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    await placed('web', { a: 1 });
    await cloud.putSite('b');
    await cloud.putSite('a', { phase: 'lost' });
    await placed('web', { b: 1 });
    await cloud.putSite('a');
    await cloud.putSite('b', { change: { membership: 'leaving' } });
    expect((await placed('web', { a: 1 })).failedChecks).toEqual({ membership: 1 });
  });

  it('replaces what runs by what is healthy now, not by what ran there before', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    const first = await placed('web', { a: 1 });
    await cloud.report(runningAt('a', 'web', first, 1));
    // From another time; that it has ended since is long on its way.
    await cloud.report(runningAt('b', 'web', first, 1));
    await cloud.putSite('b');
    await cloud.putSite('a', { change: { membership: 'leaving' } });
    const handing = await placed('web', { b: 1, a: 1 });
    await cloud.report({ ...runningAt('b', 'web', handing, 0), report: 2 });
    expect(await cloud.where('web')).toEqual({ b: 1, a: 1 });
    await cloud.report({ ...runningAt('b', 'web', handing, 1), report: 3 });
    await placed('web', { b: 1 });
  });

  it('waits with the replicas of a lost site as long as the workload says', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web', { rules: { onSiteLoss: { replaceAfterMs: 3_000 } } });
    await placed('web', { a: 1 });
    await cloud.putSite('b');
    const lostAt = Date.now();
    const heardAt = new Date(lostAt - 2_600).toISOString();
    await cloud.putSite('a', { phase: 'suspect', since: heardAt, state: { silentMs: 2_600 } });
    await placed('web', { b: 1 });
    expect(Date.now() - lostAt).toBeGreaterThanOrEqual(400);
  });

  it('has healthy originals go on when their site returns, once it has said so itself', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    const first = await placed('web', { a: 1 });
    await cloud.report(runningAt('a', 'web', first, 1));
    await cloud.putSite('b');
    await cloud.putSite('a', { phase: 'lost', state: { losses: 1 } });
    const second = await placed('web', { b: 1 });
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
    expect((await placed('web', { a: 1 })).shares).toHaveLength(1);
  });

  it('places what lost its site and fits nowhere as soon as something changes, and says why not until then', async () => {
    await cloud.putSite('a');
    await cloud.putSite('b', { change: { cordoned: true } });
    await cloud.putWorkload('web');
    await placed('web', { a: 1 });
    await cloud.putSite('a', { phase: 'lost' });
    expect(await inState('web', 'unplaceable')).toMatchObject({ failedChecks: { readiness: 1, cordon: 1 } });
    await cloud.putSite('b');
    await placed('web', { b: 1 });
  });

  it('gives a singleton away when its lease has run out by what inventory said, and its owner’s epoch rises', async () => {
    await cloud.putSite('a');
    const run = { run: { driver: 'mock', stop: { graceMs: 0 } } };
    await cloud.putWorkload('lead', { type: 'singleton', change: { spec: singleton(run) } });
    expect(await placed('lead', { a: 1 })).toMatchObject({ owner: { site: 'a', epoch: 1, losses: 0 } });
    await cloud.putSite('b');
    const silentMs = OWNERSHIP_ENDED_AFTER_MS - 400;
    const lostAt = Date.now();
    // When it was last heard by inventory's clock, which is far off, is of no interest.
    const lastHeartbeatAt = '2020-01-01T00:00:00.000Z';
    await cloud.putSite('a', { phase: 'lost', state: { silentMs, losses: 1, lastHeartbeatAt } });
    expect(await placed('lead', { b: 1 })).toMatchObject({ owner: { site: 'b', epoch: 2 } });
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
      await placed('lead', { a: 1 });
      await cloud.putSite('b');
      await cloud.putSite('a', { change: { draining: true } });
      expect(await placed('lead', { b: 1 })).toMatchObject({ after: ['a'], owner: { site: 'b', epoch: 2 } });
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
    await placed('lead', { a: 1 });
    await cloud.putSite('b');
    await cloud.putSite('a', { change: { membership: 'removed' } });
    expect(await placed('lead', { b: 1 })).toMatchObject({ after: ['a'], owner: { site: 'b', epoch: 2 } });
  });

  it('runs no job again that a lost site has completed', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('done', { type: 'job' });
    await cloud.putWorkload('undone', { type: 'job' });
    const placement = await placed('done', { a: 1 });
    await placed('undone', { a: 1 });
    const report = runningAt('a', 'done', placement, 1);
    const replicas = report.replicas.map((r) => ({ ...r, phase: 'completed' as const }));
    await cloud.report({ ...report, replicas });
    await cloud.putSite('b');
    await cloud.putSite('a', { phase: 'lost' });
    await placed('undone', { b: 1 });
    expect(await cloud.placement('done')).toMatchObject({
      shares: [{ site: 'a' }],
      version: { revision: 1 },
    });
  });

  it('goes elsewhere when a site refuses, and comes back when its capacity has changed', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    const first = await placed('web', { a: 1 });
    await cloud.report(refusalOf('a', 'web', first, 1));
    expect(await inState('web', 'unplaceable')).toMatchObject({
      rejected: [{ site: 'a', failed: { check: 'refused', needs: '64 MiB' } }],
    });
    await cloud.putSite('a', { cpuMillicores: 8_000 });
    expect((await placed('web', { a: 1 })).version.revision).toBe(3);
  });

  it('does not take an old refusal for an answer to what it asked since', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    const first = await placed('web', { a: 1 });
    await cloud.putWorkload('web', { generation: 2, replicas: 2 });
    await placed('web', { a: 2 });
    await cloud.report(refusalOf('a', 'web', first, 1));
    await cloud.putWorkload('after');
    await placed('after', { a: 1 });
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
    await placed('web', { a: 1 });
    await cloud.putSite('b');
    await cloud.putSite('a', { phase: 'lost' });
    await placed('web', { b: 1 });
    await cloud.putSite('b', { phase: 'lost' });
    await inState('web', 'unplaceable');
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
    await placed('web', { a: 2 });
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

  it('says why, of every site, and whether the inputs have changed since', async () => {
    await cloud.putSite('a');
    await cloud.putSite('b', { change: { cordoned: true } });
    await cloud.putWorkload('web');
    await placed('web', { a: 1 });
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
    await placed('other', { a: 1 });
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
    const second = await inState('web', 'unplaceable');
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
    const first = await placed('web', { a: 1 });
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

  it('passes over a value that is not what it should be, and goes on', async () => {
    await cloud.bus.publish('$KV.workloads.shop.broken', { kind: 'Workload' });
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    await placed('web', { a: 1 });
    expect(cloud.lines.some((line) => line.includes('shop.broken'))).toBe(true);
  });
});

describe('schedulers', () => {
  it('hand over when the active one stops, and the next knows what was taken', async () => {
    await cloud.startScheduler('standby');
    await cloud.putSite('a', { cpuMillicores: 2_000 });
    await cloud.putWorkload('first');
    const before = await placed('first', { a: 1 });
    await cloud.running[0]?.stop();
    await cloud.putWorkload('second');
    const after = await placed('second', { a: 1 });
    expect(after.epoch).toBeGreaterThan(before.epoch);
    await cloud.putWorkload('third');
    await inState('third', 'unplaceable');
  });

  it('say everything anew in a higher term of the hub', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web');
    await placed('web', { a: 1 });
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
    await placed('web', { a: 1 });
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

function eventIn(value: unknown): SkerryEvent {
  return eventSchema.parse(value);
}
