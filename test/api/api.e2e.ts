import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { apply, committed, problemOf, YAML } from './api-calls.js';
import { ApiCloud } from './api-cloud.js';
import { hostileBodies } from './hostile-bodies.suite.js';
import { statusOf, yamlOf } from './stand-ins.js';
import { askedWrongly, whoMayAsk } from './who-may-ask.suite.js';

let cloud: ApiCloud;
beforeAll(async () => {
  cloud = await ApiCloud.start();
}, 60_000);
afterAll(() => cloud?.stop(), 20_000);

describe('apply', () => {
  it("answers policy's outcome, and names its trace in a header", async () => {
    const answer = await apply(cloud, yamlOf('web'));
    const body: unknown = await answer.json();
    expect({ status: answer.status, body }).toMatchObject({
      status: 200,
      body: {
        ok: true,
        verb: 'workload.apply',
        changes: [{ name: 'web', change: 'created', generation: 1 }],
      },
    });
    expect(answer.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
  });

  it('goes on with the trace that the caller names', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const answer = await apply(cloud, yamlOf('traced'), { ...YAML, traceparent });
    expect(answer.headers.get('x-trace-id')).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(await answer.json()).toMatchObject({ traceId: '0af7651916cd43dd8448eb211c80319c' });
  });

  it('replays the outcome of a request id instead of acting twice', async () => {
    const headers = { ...YAML, 'idempotency-key': 'the-same-request-1' };
    const [first, second]: unknown[] = [
      await (await apply(cloud, yamlOf('once'), headers)).json(),
      await (await apply(cloud, yamlOf('once', 2), headers)).json(),
    ];
    expect(second).toEqual(first);
    expect((await committed(cloud, 'once'))?.generation).toBe(1);
    const kept: unknown = await (await cloud.fetch('/v1/outcomes/the-same-request-1')).json();
    expect(kept).toEqual(first);
  });

  it('gives two callers with one request id at the same moment the same outcome', async () => {
    const headers = { ...YAML, 'idempotency-key': 'the-same-request-2' };
    const answers = await Promise.all([1, 2, 3].map(() => apply(cloud, yamlOf('twins'), headers)));
    const bodies = await Promise.all(answers.map((answer): Promise<unknown> => answer.json()));
    expect(bodies[1]).toEqual(bodies[0]);
    expect(bodies[2]).toEqual(bodies[0]);
    expect((await committed(cloud, 'twins'))?.generation).toBe(1);
  });

  it('refuses a request id that was used for something else', async () => {
    const headers = { ...YAML, 'idempotency-key': 'the-same-request-3' };
    await apply(cloud, yamlOf('else'), headers);
    const answer = await cloud.fetch('/v1/workloads/shop/else', { method: 'DELETE', headers });
    expect(await problemOf(answer)).toMatchObject({ status: 409, code: 'conflict' });
    expect((await committed(cloud, 'else'))?.removed).toBe(false);
  });

  it('applies several documents as one command: with one mistake in one, none is committed', async () => {
    const bad = await apply(cloud, `${yamlOf('half-a')}---\n${yamlOf('half-b', '"three"')}`);
    const problem = await problemOf(bad);
    expect(problem).toMatchObject({ status: 422, code: 'invalid' });
    expect(problem.issues).toEqual([
      {
        path: 'body[1] half-b: spec.placement.replicas',
        problem: 'wrong type',
        allowed: 'number',
        value: '"three"',
      },
    ]);
    expect(await committed(cloud, 'half-a')).toBeUndefined();
    const good = await apply(cloud, `${yamlOf('half-a')}---\n${yamlOf('half-b')}`);
    expect(good.status).toBe(200);
    expect(await committed(cloud, 'half-b')).toBeDefined();
  });

  it('names every mistake at once, with file, workload, path, value and what is allowed', async () => {
    const text = yamlOf('many', '-1').replace('run:', 'colour: red\n  run:\n    driver: docker');
    const body = JSON.stringify({ sources: [{ name: 'many.yaml', text }] });
    const { issues } = await problemOf(await apply(cloud, body, { 'content-type': 'application/json' }));
    expect(issues.map(({ path }) => path).toSorted()).toEqual([
      'many.yaml many: spec.colour',
      'many.yaml many: spec.placement.replicas',
      'many.yaml many: spec.run.driver',
    ]);
    expect(issues.find(({ path }) => path.endsWith('driver'))).toMatchObject({
      value: '"docker"',
      allowed: 'process, mock',
    });
  });

  it('commits nothing when the generation is another than the caller says', async () => {
    await apply(cloud, yamlOf('versioned'));
    const answer = await cloud.fetch('/v1/apply?ifGeneration=7', {
      method: 'POST',
      headers: YAML,
      body: yamlOf('versioned', 3),
    });
    expect((await problemOf(answer)).code).toBe('conflict');
    expect((await committed(cloud, 'versioned'))?.generation).toBe(1);
  });
});

hostileBodies(() => cloud);
whoMayAsk(() => cloud);
askedWrongly(() => cloud);

describe('changes to one workload', () => {
  it('scales, stops, starts and removes it; a removed one is not there any more', async () => {
    await apply(cloud, yamlOf('changing'));
    const post = (verb: string, body?: string) =>
      cloud.fetch(`/v1/workloads/shop/changing/${verb}`, {
        method: 'POST',
        ...(body === undefined ? {} : { body }),
      });
    expect((await post('scale', '{"replicas":3}')).status).toBe(200);
    expect((await committed(cloud, 'changing'))?.spec.placement.replicas).toBe(3);
    await post('stop');
    expect((await committed(cloud, 'changing'))?.stopped).toBe(true);
    await post('start');
    expect((await committed(cloud, 'changing'))?.stopped).toBe(false);
    expect((await cloud.fetch('/v1/workloads/shop/changing')).status).toBe(200);
    expect((await cloud.fetch('/v1/workloads/shop/changing', { method: 'DELETE' })).status).toBe(200);
    expect((await problemOf(await cloud.fetch('/v1/workloads/shop/changing'))).code).toBe('not-found');
  });

  it('plans without committing', async () => {
    const body = JSON.stringify({ sources: [{ name: 'p.yaml', text: yamlOf('planned') }] });
    const headers = { 'content-type': 'application/json' };
    const answer: unknown = await (await cloud.fetch('/v1/plan', { method: 'POST', headers, body })).json();
    expect(answer).toMatchObject({
      items: [{ name: 'planned', change: 'create', moves: [{ site: 'eu-de', before: 0, after: 1 }] }],
    });
    expect(await committed(cloud, 'planned')).toBeUndefined();
  });
});

describe('the read model', () => {
  it('comes in pages that the client joins', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      cloud.standIns.put(statusOf(`page-${name}`, { project: 'paged' }));
    const names: string[] = [];
    for await (const status of cloud.client().status('paged')) names.push(status.name);
    expect(names).toEqual(['page-a', 'page-b', 'page-c', 'page-d', 'page-e']);
  });

  it('lists sites without those removed, and the replicas placed there', async () => {
    const views = await cloud.client().sites();
    expect(views.map(({ site }) => site.name)).toEqual(['eu-de', 'us-east']);
  });
});
