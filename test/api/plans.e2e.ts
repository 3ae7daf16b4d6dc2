import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ProblemError } from '@skerry/client';
import { BUCKETS, workloadSchema } from '@skerry/contracts';
import { ApiCloud } from './api-cloud.js';
import { yamlOf } from './stand-ins.js';

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
