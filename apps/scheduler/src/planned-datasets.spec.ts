import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { planSchema, RPC, whySchema, type Dataset, type Plan, type Workload } from '@skerry/contracts';
import { datasetOf, MemoryCloud, readerOf, until } from './cloud.suite.js';

const DEAR = { cpuCoreMonth: 500, memoryGiBMonth: 0, egressGiB: 0, gpuMonth: 0 };
let cloud: MemoryCloud;
beforeEach(async () => {
  cloud = await MemoryCloud.start();
  await cloud.putSite('a', { change: { jurisdictions: ['us'], prices: DEAR } });
  await cloud.putSite('b', { change: { jurisdictions: ['eu'] } });
});
afterEach(async () => {
  await cloud.stop();
});

type Change = 'create' | 'update' | 'none';

async function planOf(datasets: [Change, Dataset][], workloads: Workload[] = []): Promise<Plan> {
  const request = {
    items: workloads.map((workload) => ({ change: 'create', workload })),
    datasets: datasets.map(([change, dataset]) => ({ change, dataset })),
  };
  return planSchema.parse((await cloud.bus.request(RPC.plan, request)).json());
}

/** Asks until the sites are known to the scheduler. */
async function planOnBoth(...asked: Parameters<typeof planOf>): Promise<Plan> {
  return until('both sites are known', async () => {
    const plan = await planOf(...asked);
    const [first] = plan.datasets ?? [];
    return (first?.copies.length ?? 0) + (first?.without.length ?? 0) === 2 && plan;
  });
}

const sitesOf = (plan: Plan) =>
  plan.items.map(({ name, placement }) => [name, placement.shares.map(({ site }) => site)]);
const at = (site: string) => ({ rules: { sites: { required: { name: site } } } });
const US = { residency: { stay: ['us'] } };

describe('a plan with datasets', () => {
  it('decides workloads as if the datasets were there, says where their copies would be, and leaves nothing behind', async () => {
    const reader = readerOf('web', 'maps');
    const plan = await planOnBoth([['create', datasetOf('maps', US)]], [reader]);
    expect(sitesOf(plan)).toEqual([['web', ['a']]]);
    expect(plan.datasets).toEqual([
      {
        project: 'shop',
        name: 'maps',
        change: 'create',
        rule: 'stays in us; copies everywhere',
        copies: [{ site: 'a', now: false }],
        without: [{ site: 'b', now: false, why: 'residency: stays in us; the site is in eu' }],
      },
    ]);
    const alone = await planOf([], [reader]);
    expect(alone).toMatchObject({ items: [{ placement: { state: 'unplaceable' } }] });
    expect(alone.datasets).toBeUndefined();
  });

  it('may be of datasets alone', async () => {
    const plan = await planOnBoth([['create', datasetOf('maps')]]);
    expect(plan.items).toEqual([]);
    expect(plan.datasets).toMatchObject([{ copies: [{ site: 'a' }, { site: 'b' }], without: [] }]);
  });

  it('has another id when a dataset, or where its copies would be, is another', async () => {
    const { id } = await planOnBoth([['create', datasetOf('maps', US)]]);
    expect((await planOf([['create', datasetOf('maps', US)]])).id).toBe(id);
    expect((await planOf([['create', datasetOf('maps')]])).id).not.toBe(id);
    await cloud.putSite('b', { change: { jurisdictions: ['us'] } });
    await until('b is elsewhere', async () => {
      return (await planOf([['create', datasetOf('maps', US)]])).id !== id;
    });
  });

  it('has another id when copies would go that were not there when it was made', async () => {
    const { id } = await planOnBoth([['create', datasetOf('maps', US)]]);
    await cloud.putDataset(datasetOf('maps'));
    const now = await until('maps are known', async () => {
      const plan = await planOf([['update', datasetOf('maps', US, 2)]]);
      return plan.datasets?.[0]?.without[0]?.now === true && plan;
    });
    expect(now.id).not.toBe(id);
  });

  it('shows who has to go elsewhere for what would change, though nobody asked for that', async () => {
    await cloud.putDataset(datasetOf('maps'));
    await cloud.putWorkload('web', { change: readerOf('web', 'maps') });
    await cloud.placed('web', { b: 1 });
    const before = await cloud.placement('web');
    const plan = await planOnBoth([['update', datasetOf('maps', US, 2)]]);
    expect(plan.items).toMatchObject([
      {
        name: 'web',
        change: 'none',
        moves: [
          { site: 'a', before: 0, after: 1 },
          { site: 'b', before: 1, after: 0 },
        ],
      },
    ]);
    expect(plan.datasets).toMatchObject([
      { copies: [{ site: 'a', now: true }], without: [{ site: 'b', now: true }] },
    ]);
    const same = await planOf([['none', datasetOf('maps')]]);
    expect([same.items, same.datasets?.[0]?.copies.length]).toEqual([[], 2]);
    // What is explained is the decision that was made, of what it was made of.
    const why = await until('it is in the log', async () => {
      const said = await cloud.bus.request(RPC.why, { project: 'shop', name: 'web' });
      const answer = whySchema.parse(said.json());
      return answer.from === 'recorded' && answer;
    });
    expect(why).toMatchObject({ reproduced: true, inputsChanged: false });
    expect(why.placement).toEqual(before);
  });
});

describe('copies that are chosen', () => {
  const few = datasetOf('maps', { copies: { at: 'with-workloads', match: [], max: 1 } });
  const free = datasetOf('maps', { copies: { at: 'with-workloads', match: [] } });
  const readers = [readerOf('first', 'maps', at('a')), readerOf('second', 'maps')];

  it('are planned where the planned workloads would be', async () => {
    const plan = await planOnBoth([['create', free]], readers);
    expect(sitesOf(plan)).toEqual([
      ['first', ['a']],
      ['second', ['b']],
    ]);
    expect(plan.datasets?.[0]?.copies).toEqual([
      { site: 'a', now: false, why: 'used by shop.first' },
      { site: 'b', now: false, why: 'used by shop.second' },
    ]);
    const unused = await planOf([['create', free]]);
    expect(unused.datasets?.[0]?.without.map(({ why }) => why)).toEqual([
      'copies: no workload that uses it runs there',
      'copies: no workload that uses it runs there',
    ]);
  });

  it('are no more than may be: who uses them is planned together', async () => {
    const plan = await planOnBoth([['create', few]], readers);
    expect(sitesOf(plan)).toEqual([
      ['first', ['a']],
      ['second', ['a']],
    ]);
    expect(plan.datasets?.[0]?.copies.map(({ site }) => site)).toEqual(['a']);
  });
});
