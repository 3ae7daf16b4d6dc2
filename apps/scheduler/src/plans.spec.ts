import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { planSchema, RPC, type Plan } from '@skerry/contracts';
import { MemoryCloud, runningAt, until, workloadOf } from './cloud.suite.js';

let cloud: MemoryCloud;
beforeEach(async () => {
  cloud = await MemoryCloud.start();
});
afterEach(async () => {
  await cloud.stop();
});

const DEAR = { change: { prices: { cpuCoreMonth: 500, memoryGiBMonth: 0, egressGiB: 0, gpuMonth: 0 } } };

async function whatIf(scenario: object): Promise<Plan> {
  return planSchema.parse((await cloud.bus.request(RPC.whatIf, { scenario })).json());
}

async function move(plan: Plan, requestId = 'move-request'): Promise<Plan> {
  const maxMoves = plan.scenario.kind === 'rebalance' ? plan.scenario.maxMoves : 0;
  return planSchema.parse((await cloud.bus.request(RPC.move, { id: plan.id, maxMoves, requestId })).json());
}

/** Asks until the sites that were put last are known to the scheduler. */
async function whatIfChanges(scenario: object): Promise<Plan> {
  return until('a scenario that changes something', async () => {
    const plan = await whatIf(scenario);
    return plan.items.length > 0 && plan;
  });
}

describe('a plan', () => {
  it('shows what gives way to a higher priority, and leaves everything as it is', async () => {
    await cloud.putSite('a', { cpuMillicores: 1_000 });
    await cloud.putWorkload('low');
    await cloud.placed('low', { a: 1 });
    const workload = workloadOf('high', { rules: { priority: 10, preempts: true } });
    const ask = async () =>
      planSchema.parse(
        (await cloud.bus.request(RPC.plan, { items: [{ change: 'create', workload }] })).json(),
      );
    const plan = await ask();
    expect(plan.items.map((i) => [i.name, i.change, i.placement.state, i.moves])).toEqual([
      ['high', 'create', 'placed', [{ site: 'a', before: 0, after: 1 }]],
      ['low', 'update', 'unplaceable', [{ site: 'a', before: 1, after: 0 }]],
    ]);
    expect((await ask()).id).toBe(plan.id);
    expect(await cloud.where('low')).toEqual({ a: 1 });
  });
});

describe('a what-if', () => {
  it('says where the work of a site would go without it, and moves nothing', async () => {
    await cloud.putSite('a');
    await cloud.putWorkload('web', { replicas: 2 });
    await cloud.putWorkload('other');
    await cloud.placed('web', { a: 2 });
    await cloud.placed('other', { a: 1 });
    await cloud.putSite('b', { cpuMillicores: 2_000 });
    for (const kind of ['without-site', 'drain'] as const) {
      const plan = await until('it knows of b', async () => {
        const now = await whatIf({ kind, site: 'a' });
        return now.items.some((i) => i.placement.shares.length > 0) && now;
      });
      expect(plan).toMatchObject({
        scenario: { kind, site: 'a' },
        before: { replicas: 3 },
        after: { replicas: 2 },
      });
      expect(plan.items.map((i) => [i.name, i.change, i.placement.state, i.moves])).toEqual([
        [
          'other',
          'update',
          'placed',
          [
            { site: 'a', before: 1, after: 0 },
            { site: 'b', before: 0, after: 1 },
          ],
        ],
        [
          'web',
          'update',
          'partial',
          [
            { site: 'a', before: 2, after: 0 },
            { site: 'b', before: 0, after: 1 },
          ],
        ],
      ]);
      expect((await whatIf({ kind, site: 'a' })).id).toBe(plan.id);
    }
    expect(await cloud.where('web')).toEqual({ a: 2 });
    await expect(whatIf({ kind: 'drain', site: 'nowhere' })).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('a rebalance', () => {
  it('proposes moves that gain, and makes exactly these when asked', async () => {
    await cloud.putSite('a', DEAR);
    await cloud.putWorkload('web');
    await cloud.placed('web', { a: 1 });
    await cloud.putSite('b');
    const plan = await whatIfChanges({ kind: 'rebalance', maxMovesPercent: 100 });
    expect(plan).toMatchObject({
      scenario: { kind: 'rebalance', maxMoves: 1 },
      before: { replicas: 1, costPerMonth: 500 },
      after: { replicas: 1, costPerMonth: 0 },
      items: [{ name: 'web', moves: [{ site: 'a' }, { site: 'b' }] }],
    });
    expect(await cloud.where('web')).toEqual({ a: 1 });
    expect((await move(plan)).id).toBe(plan.id);
    expect(await cloud.placed('web', { b: 1 })).toMatchObject({ version: { generation: 1, revision: 2 } });
    // A further try of the same request is told the same, and does nothing.
    expect((await move(plan)).id).toBe(plan.id);
    expect(await whatIf({ kind: 'rebalance', maxMovesPercent: 100 })).toMatchObject({
      items: [],
      untouched: 1,
    });
  });

  it('makes no move when deciding again gives another result, and says what it would be', async () => {
    await cloud.putSite('a', DEAR);
    await cloud.putWorkload('web');
    await cloud.placed('web', { a: 1 });
    await cloud.putSite('b');
    const plan = await whatIfChanges({ kind: 'rebalance', maxMovesPercent: 100 });
    await cloud.putSite('b', { change: { cordoned: true } });
    await until('the cordon is known', async () => {
      return (await whatIf({ kind: 'rebalance', maxMovesPercent: 100 })).items.length === 0;
    });
    const now = await move(plan);
    expect(now.id).not.toBe(plan.id);
    expect(now.items).toEqual([]);
    expect(await cloud.where('web')).toEqual({ a: 1 });
  });

  it('lets what is healthy stay until what replaces it is healthy', async () => {
    await cloud.putSite('a', DEAR);
    await cloud.putWorkload('web');
    const first = await cloud.placed('web', { a: 1 });
    await cloud.report(runningAt('a', 'web', first, 1));
    await cloud.putSite('b');
    const plan = await whatIfChanges({ kind: 'rebalance', maxMovesPercent: 100 });
    await move(plan);
    const both = await cloud.placed('web', { b: 1, a: 1 });
    expect(both.shares).toMatchObject([{ site: 'b' }, { site: 'a', until: 'replaced' }]);
    await cloud.report(runningAt('b', 'web', both, 1));
    expect((await cloud.placed('web', { b: 1 })).state).toBe('placed');
  });
});

describe('what projects may cost', () => {
  it('is kept over all their workloads, and what did not fit comes back when it is raised', async () => {
    await cloud.putSite('a', DEAR);
    await cloud.putQuota({ budgetPerMonth: 600 });
    await cloud.putWorkload('first');
    await cloud.placed('first', { a: 1 });
    await cloud.putWorkload('second');
    const refused = await until('it is decided', () => cloud.placement('second'));
    expect(refused).toMatchObject({ state: 'unplaceable', failedChecks: { 'project-budget': 1 } });
    await cloud.putQuota({ budgetPerMonth: 1_000 });
    await cloud.placed('second', { a: 1 });
  });
});

describe('priority', () => {
  it('has what matters more placed first when there is not room for all', async () => {
    const low = ['w0', 'w1', 'w2'];
    for (const name of low) await cloud.putWorkload(name);
    await cloud.putWorkload('high', { rules: { priority: 10 } });
    for (const name of [...low, 'high']) await until(`${name} waits`, () => cloud.placement(name));
    await cloud.putSite('a', { cpuMillicores: 1_000 });
    await cloud.placed('high', { a: 1 });
    for (const name of low) expect(await cloud.where(name)).toEqual({});
  });
});
