import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ProblemError } from '@skerry/client';
import { BUCKETS, datasetSchema, workloadSchema } from '@skerry/contracts';
import { ApiCloud } from './api-cloud.js';
import { datasetYamlOf, readerYamlOf, yamlOf } from './stand-ins.js';

let cloud: ApiCloud;
beforeAll(async () => {
  cloud = await ApiCloud.start();
}, 60_000);
afterAll(() => cloud?.stop(), 20_000);

const bodyOf = (name: string) => ({ sources: [{ name: `${name}.yaml`, text: yamlOf(name) }] });

/** What is committed under a name, looked up past the api. */
async function committed(name: string) {
  const bucket = cloud.bus.bucket(BUCKETS.workloads, (value) => workloadSchema.parse(value));
  return (await bucket.get(`shop.${name}`))?.value;
}

async function committedDataset(name: string) {
  const bucket = cloud.bus.bucket(BUCKETS.datasets, (value) => datasetSchema.parse(value));
  return (await bucket.get(`shop.${name}`))?.value;
}

async function problemOf(failing: Promise<unknown>) {
  const error = await failing.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (error instanceof ProblemError) return error.problem;
  throw new Error('it was not refused', { cause: error });
}

describe('a plan', () => {
  it('is kept, and applied by its id; a further try of the same request is told the same', async () => {
    const client = cloud.client('operator');
    const plan = await client.plan(bodyOf('first'));
    expect(await client.keptPlan(plan.id)).toEqual(plan);
    expect(await committed('first')).toBeUndefined();
    const applied = await client.applyPlan(plan.id, { requestId: 'apply-the-plan' });
    expect(applied.outcome).toMatchObject({ ok: true, changes: [{ name: 'first', change: 'created' }] });
    expect((await committed('first'))?.generation).toBe(1);
    cloud.standIns.changed = true;
    const again = await client.applyPlan(plan.id, { requestId: 'apply-the-plan' });
    cloud.standIns.changed = false;
    expect(again.outcome).toEqual(applied.outcome);
  });

  it('is refused with every difference when deciding again gives another, and nothing is applied', async () => {
    const client = cloud.client('operator');
    const plan = await client.plan(bodyOf('second'));
    cloud.standIns.changed = true;
    const problem = await problemOf(client.applyPlan(plan.id));
    cloud.standIns.changed = false;
    expect(problem).toMatchObject({
      code: 'conflict',
      issues: [{ path: 'shop/second', value: 'placed: us-east 1', allowed: 'placed: eu-de 1' }],
    });
    expect(await committed('second')).toBeUndefined();
  });

  it('is looked for by an id, and not found when there is none', async () => {
    const client = cloud.client();
    expect((await problemOf(client.keptPlan('plan-0000000000000000'))).code).toBe('not-found');
    expect((await problemOf(client.keptPlan('../outcomes'))).code).toMatch(/invalid|not-found/);
    expect((await problemOf(client.applyPlan('plan-0000000000000000'))).code).toBe('not-found');
  });
});

describe('a plan with datasets', () => {
  const folderOf = (name: string, rules: string[] = []) => ({
    sources: [
      { name: 'reader.yaml', text: readerYamlOf(`${name}-reader`, name) },
      { name: 'dataset.yaml', text: datasetYamlOf(name, rules) },
    ],
  });

  it('is kept with them, and applied as an apply of the same documents is', async () => {
    const client = cloud.client('operator');
    const plan = await client.plan(folderOf('maps'));
    expect(plan).toMatchObject({
      items: [{ name: 'maps-reader', change: 'create' }],
      datasets: [{ name: 'maps', change: 'create' }],
    });
    expect(await client.keptPlan(plan.id)).toEqual(plan);
    expect([await committedDataset('maps'), await committed('maps-reader')]).toEqual([undefined, undefined]);
    const { outcome } = await client.applyPlan(plan.id, { requestId: 'apply-with-maps' });
    expect(outcome).toMatchObject({
      ok: true,
      verb: 'workload.apply',
      changes: [
        { noun: 'workload', name: 'maps-reader', change: 'created' },
        { noun: 'dataset', name: 'maps', change: 'created' },
      ],
    });
    expect((await committedDataset('maps'))?.requestId).toBe('apply-with-maps');
    expect((await client.applyPlan(plan.id, { requestId: 'apply-with-maps' })).outcome).toEqual(outcome);
    const again = await client.plan(folderOf('maps'));
    expect([again.items[0]?.change, again.datasets?.[0]?.change]).toEqual(['none', 'none']);
    const other = await client.plan({
      sources: [{ name: 'x', text: datasetYamlOf('maps', ['ttlMs: 5000']) }],
    });
    expect([other.items, other.datasets?.[0]?.change]).toEqual([[], 'update']);
  });

  it('is refused with every mistake at once as admission finds them, and nothing is committed', async () => {
    const bad = folderOf('bad', ['conflicts: single-writer', 'copies: {sites: [atlantis], at: matching}']);
    bad.sources.push({ name: 'lost.yaml', text: readerYamlOf('lost', 'nothing') });
    const { code, issues } = await problemOf(cloud.client().plan(bad));
    expect(code).toBe('invalid');
    expect(issues.map(({ path, problem }) => `${path}: ${problem}`)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/lost: spec\.data\[0\]\.dataset: there is no such dataset/),
        'dataset bad: spec.home: missing',
        'dataset bad: spec.copies.sites: there is no such site',
      ]),
    );
    expect(await committedDataset('bad')).toBeUndefined();
  });

  it('is refused with where copies would be when that is elsewhere now', async () => {
    const client = cloud.client('operator');
    const plan = await client.plan(folderOf('roads'));
    cloud.standIns.changed = true;
    const problem = await problemOf(client.applyPlan(plan.id));
    cloud.standIns.changed = false;
    expect(problem.issues).toMatchObject([
      { path: 'shop/roads-reader' },
      { path: 'dataset shop/roads', value: 'us-east', allowed: 'eu-de' },
    ]);
    expect(await committedDataset('roads')).toBeUndefined();
  });
});

describe('a what-if', () => {
  it('of a site is a preview: it cannot be applied, and says what to do instead', async () => {
    const client = cloud.client();
    for (const kind of ['without-site', 'drain'] as const) {
      const plan = await client.whatIf({ kind, site: 'eu-de' });
      expect(plan.scenario).toEqual({ kind, site: 'eu-de' });
      expect(await problemOf(client.applyPlan(plan.id))).toMatchObject({
        code: 'conflict',
        hint: expect.stringContaining('remove'),
      });
    }
  });

  it('of a rebalance is applied by those who may, while it is the same', async () => {
    const client = cloud.client('operator');
    const plan = await client.whatIf({ kind: 'rebalance', maxMovesPercent: 5 });
    expect((await problemOf(cloud.client('viewer').applyPlan(plan.id))).code).toBe('forbidden');
    const applied = await client.applyPlan(plan.id);
    expect(applied).toMatchObject({ plan: { id: plan.id } });
    expect(applied.outcome).toBeUndefined();
    cloud.standIns.changed = true;
    expect((await problemOf(client.applyPlan(plan.id))).code).toBe('conflict');
    cloud.standIns.changed = false;
  });

  it('says what is wrong with what was asked', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ scenario: { kind: 'rebalance', maxMovesPercent: 101 } });
    expect((await cloud.fetch('/v1/what-if', { method: 'POST', headers, body })).status).toBe(422);
  });
});
