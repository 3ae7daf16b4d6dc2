import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BUCKETS, LIMITS, problemSchema, workloadSchema, type Problem } from '@skerry/contracts';
import { ApiCloud } from './api-cloud.js';
import { statusOf, yamlOf } from './stand-ins.js';

let cloud: ApiCloud;
beforeAll(async () => {
  cloud = await ApiCloud.start();
}, 60_000);
afterAll(() => cloud?.stop(), 20_000);

const YAML = { 'content-type': 'text/yaml' };

async function problemOf(answer: Response): Promise<Problem> {
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  return problemSchema.parse(await answer.json());
}

function apply(body: string | Uint8Array, headers: Record<string, string> = YAML): Promise<Response> {
  return cloud.fetch('/v1/apply', { method: 'POST', headers, body });
}

/** What is committed under a name, looked up past the api. */
async function committed(name: string) {
  const bucket = cloud.bus.bucket(BUCKETS.workloads, (value) => workloadSchema.parse(value));
  return (await bucket.get(`shop.${name}`))?.value;
}

describe('apply', () => {
  it("answers policy's outcome, and names its trace in a header", async () => {
    const answer = await apply(yamlOf('web'));
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
    const answer = await apply(yamlOf('traced'), { ...YAML, traceparent });
    expect(answer.headers.get('x-trace-id')).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(await answer.json()).toMatchObject({ traceId: '0af7651916cd43dd8448eb211c80319c' });
  });

  it('replays the outcome of a request id instead of acting twice', async () => {
    const headers = { ...YAML, 'idempotency-key': 'the-same-request-1' };
    const [first, second]: unknown[] = [
      await (await apply(yamlOf('once'), headers)).json(),
      await (await apply(yamlOf('once', 2), headers)).json(),
    ];
    expect(second).toEqual(first);
    expect((await committed('once'))?.generation).toBe(1);
    const kept: unknown = await (await cloud.fetch('/v1/outcomes/the-same-request-1')).json();
    expect(kept).toEqual(first);
  });

  it('gives two callers with one request id at the same moment the same outcome', async () => {
    const headers = { ...YAML, 'idempotency-key': 'the-same-request-2' };
    const answers = await Promise.all([1, 2, 3].map(() => apply(yamlOf('twins'), headers)));
    const bodies = await Promise.all(answers.map((answer): Promise<unknown> => answer.json()));
    expect(bodies[1]).toEqual(bodies[0]);
    expect(bodies[2]).toEqual(bodies[0]);
    expect((await committed('twins'))?.generation).toBe(1);
  });

  it('refuses a request id that was used for something else', async () => {
    const headers = { ...YAML, 'idempotency-key': 'the-same-request-3' };
    await apply(yamlOf('else'), headers);
    const answer = await cloud.fetch('/v1/workloads/shop/else', { method: 'DELETE', headers });
    expect(await problemOf(answer)).toMatchObject({ status: 409, code: 'conflict' });
    expect((await committed('else'))?.removed).toBe(false);
  });

  it('applies several documents as one command: with one mistake in one, none is committed', async () => {
    const bad = await apply(`${yamlOf('half-a')}---\n${yamlOf('half-b', '"three"')}`);
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
    expect(await committed('half-a')).toBeUndefined();
    const good = await apply(`${yamlOf('half-a')}---\n${yamlOf('half-b')}`);
    expect(good.status).toBe(200);
    expect(await committed('half-b')).toBeDefined();
  });

  it('names every mistake at once, with file, workload, path, value and what is allowed', async () => {
    const text = yamlOf('many', '-1').replace('run:', 'colour: red\n  run:\n    driver: docker');
    const body = JSON.stringify({ sources: [{ name: 'many.yaml', text }] });
    const { issues } = await problemOf(await apply(body, { 'content-type': 'application/json' }));
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
    await apply(yamlOf('versioned'));
    const answer = await cloud.fetch('/v1/apply?ifGeneration=7', {
      method: 'POST',
      headers: YAML,
      body: yamlOf('versioned', 3),
    });
    expect((await problemOf(answer)).code).toBe('conflict');
    expect((await committed('versioned'))?.generation).toBe(1);
  });
});

describe('hostile bodies', () => {
  const laughs = [
    'a0: &a0 [x, x]',
    ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`),
  ];
  it.each<[string, string | Uint8Array, number, string]>([
    ['YAML that doubles itself (billion laughs)', laughs.join('\n'), 413, 'too-large'],
    ['10,000 levels of nesting', '['.repeat(10_000), 413, 'too-large'],
    ['10,000 levels of nesting in blocks', `a:\n  ${'- '.repeat(10_000)}x`, 413, 'too-large'],
    ['100,000 mistakes', '}'.repeat(100_000), 400, 'malformed'],
    [
      'a mapping of 20,000 keys',
      Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n'),
      413,
      'too-large',
    ],
    ['10 MB', 'a'.repeat(10_000_000), 413, 'too-large'],
    ['a NUL character', `${yamlOf('nul')}# \0`, 400, 'malformed'],
    ['a NUL written as an escape', yamlOf('nul').replace('node,', '"a\\0b",'), 422, 'invalid'],
    ['a key that is a list', '? [a]\n: b', 400, 'malformed'],
    [
      'a key that is there twice',
      yamlOf('twice').replace('  project: shop', '  project: shop\n  project: bank'),
      400,
      'malformed',
    ],
    ['a tag', 'a: !!js/function "return 1"', 400, 'malformed'],
    ['an anchor that holds itself', '&a [*a]', 422, 'invalid'],
    ['257 documents', Array.from({ length: 257 }, () => 'a: 1').join('\n---\n'), 413, 'too-large'],
    ['bytes that are no UTF-8', new Uint8Array([0x61, 0xff, 0xfe]), 400, 'malformed'],
    ['the same workload twice', `${yamlOf('same')}---\n${yamlOf('same')}`, 422, 'invalid'],
    ['nothing', '', 422, 'invalid'],
    ['a document that is no mapping', '42', 422, 'invalid'],
    ['another kind', 'apiVersion: skerry/v1\nkind: Pod', 422, 'invalid'],
    ['a number that is none', yamlOf('nan', '.nan'), 422, 'invalid'],
    ['a name with a path in it', yamlOf('x').replace('name: x', 'name: ../../etc/passwd'), 422, 'invalid'],
  ])('refuses %s within a second', async (_what, body, status, code) => {
    const began = performance.now();
    // Who is refused in the middle of sending may see the connection end before the answer.
    const answer = await apply(body).catch(() => apply(body));
    const problem = await problemOf(answer);
    expect({ status: problem.status, code: problem.code }).toEqual({ status, code });
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it.each(['__proto__', 'constructor', 'toString'])(
    'takes the key %s for an unknown field, not for JavaScript',
    async (key) => {
      const text = `{"apiVersion":"skerry/v1","kind":"Workload","metadata":{"name":"proto"},"spec":{"run":{"command":["a"]},"${key}":{"polluted":true}}}`;
      for (const headers of [YAML, { 'content-type': 'application/json' }]) {
        const body = headers === YAML ? text : `{"documents":[${text}]}`;
        const { issues } = await problemOf(await apply(body, headers));
        expect(issues).toEqual([
          expect.objectContaining({ problem: 'unknown field', path: expect.stringContaining(key) }),
        ]);
      }
      expect(Reflect.get({}, 'polluted')).toBeUndefined();
    },
  );

  it('keeps answering while it refuses them', async () => {
    const hostile = Promise.all(Array.from({ length: 10 }, () => apply(laughs.join('\n'))));
    expect((await cloud.fetch('/healthz')).status).toBe(200);
    await hostile;
  });

  it('refuses what is no document by its media type, and says what is taken', async () => {
    const problem = await problemOf(
      await apply('a=1', { 'content-type': 'application/x-www-form-urlencoded' }),
    );
    expect(problem).toMatchObject({ code: 'malformed', hint: expect.stringContaining('text/yaml') });
  });

  it('takes odd but honest text: other scripts, emoji, a byte order mark, tabs in JSON', async () => {
    const text = `\ufeff${yamlOf('odd').replace('node,', '"größe 🏝️ 日本",')}`;
    expect((await apply(text)).status).toBe(200);
    const json = JSON.stringify(
      {
        apiVersion: 'skerry/v1',
        kind: 'Workload',
        metadata: { name: 'tabs', project: 'shop' },
        spec: { run: { command: ['a'] } },
      },
      null,
      '\t',
    );
    expect((await apply(json)).status).toBe(200);
  });
});

describe('who may ask', () => {
  it.each([
    ['no token', undefined, /token is needed/],
    ['a token that is none', 'Bearer secret', /no token of Skerry/],
    ['a token that is not known', `Bearer sky_${'0'.repeat(12)}_${'a'.repeat(43)}`, /not known/],
    ['another scheme', 'Basic dXNlcjpwYXNz', /token is needed/],
  ])('refuses %s, and says what to do', async (_what, authorization, title) => {
    const headers: Record<string, string> =
      authorization === undefined ? { authorization: '' } : { authorization };
    const answer = await cloud.fetch('/v1/status', { headers });
    const problem = await problemOf(answer);
    expect(problem).toMatchObject({ status: 401, code: 'unauthorized', title: expect.stringMatching(title) });
    expect(problem.hint).toContain('context.json');
    expect(answer.headers.get('www-authenticate')).toContain('Bearer');
  });

  it('refuses a token that has expired', async () => {
    const problem = await problemOf(await cloud.fetch('/v1/status', {}, 'expired'));
    expect(problem.title).toContain('expired');
  });

  it('slows down guessing without locking out who has a token', async () => {
    const wrong = { headers: { authorization: `Bearer sky_${'1'.repeat(12)}_${'b'.repeat(43)}` } };
    const statuses = [];
    for (let i = 0; i < 15; i += 1) statuses.push((await cloud.fetch('/v1/status', wrong)).status);
    expect(statuses).toContain(429);
    expect((await cloud.fetch('/v1/status')).status).toBe(200);
  });

  it('lets a viewer look and change nothing', async () => {
    expect((await cloud.fetch('/v1/sites', {}, 'viewer')).status).toBe(200);
    const answer = await cloud.fetch(
      '/v1/apply',
      { method: 'POST', headers: YAML, body: yamlOf('viewed') },
      'viewer',
    );
    expect(await problemOf(answer)).toMatchObject({ status: 403, code: 'forbidden' });
    expect(await committed('viewed')).toBeUndefined();
    const site = {
      method: 'POST',
      body: JSON.stringify({ site: { name: 'x', location: { lat: 0, lon: 0 } }, address: '127.0.0.1' }),
    };
    expect((await problemOf(await cloud.fetch('/v1/sites', site, 'viewer'))).code).toBe('forbidden');
    expect((await problemOf(await cloud.fetch('/v1/dlq', {}, 'viewer'))).code).toBe('forbidden');
    expect((await problemOf(await cloud.fetch('/v1/dlq/1', { method: 'DELETE' }, 'operator'))).code).toBe(
      'forbidden',
    );
  });

  it('takes nothing of who asks from the request itself', async () => {
    const forged = {
      ...YAML,
      'x-forwarded-user': 'root',
      'skerry-request': 'forged-request',
      actor: '{"role":"admin"}',
    };
    const answer = await cloud.fetch(
      '/v1/apply',
      { method: 'POST', headers: forged, body: yamlOf('forged') },
      'viewer',
    );
    expect((await problemOf(answer)).code).toBe('forbidden');
  });

  it('never logs a token', () => {
    for (const token of Object.values(cloud.tokens)) expect(cloud.log).not.toContain(token.slice(-30));
  });
});

describe('what is asked wrongly', () => {
  it.each([
    ['/v1/workloads/..%2f..%2fetc/passwd', 422, 'project'],
    ['/v1/workloads/shop/%00', 422, 'name'],
    ['/v1/workloads/shop/$KV.workloads.*', 422, 'name'],
    [`/v1/workloads/shop/${'a'.repeat(64)}`, 422, 'name'],
    ['/v1/sites/*', 422, 'site'],
    ['/v1/status?project=A%20B', 422, 'project'],
    ['/v1/status?watch=perhaps', 422, 'watch'],
    ['/v1/workloads/shop/web/logs?tail=-1', 422, 'tail'],
    ['/v1/workloads/shop/web/logs?tail=1e9', 422, 'tail'],
    ['/v1/events?filter=workload.bogus', 422, 'filter'],
    ['/v1/dlq/abc', 422, 'id'],
  ])('refuses %s with %i and names %s', async (path, status, where) => {
    const problem = await problemOf(await cloud.fetch(path));
    expect(problem.status).toBe(status);
    expect(problem.issues.map((issue) => issue.path)).toEqual([where]);
  });

  it.each([
    '/v1/workloads/shop/nowhere',
    '/v1/sites/atlantis',
    '/v1/outcomes/never-asked',
    '/v1/dlq/4711',
    '/v1/nonsense',
    '/',
  ])('says that %s is not there', async (path) => {
    expect((await problemOf(await cloud.fetch(path))).code).toBe('not-found');
  });

  it('refuses a request id that could not be a subject', async () => {
    const answer = await apply(yamlOf('ids'), { ...YAML, 'idempotency-key': 'a.b.>' });
    expect(await problemOf(answer)).toMatchObject({ code: 'invalid', issues: [{ path: 'Idempotency-Key' }] });
  });

  it('ignores a trace that is none', async () => {
    const answer = await apply(yamlOf('untraced'), {
      ...YAML,
      traceparent: `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`,
    });
    expect(answer.headers.get('x-trace-id')).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  });

  it('lets a request that never ends go', async () => {
    const slow = request({
      port: cloud.port,
      method: 'POST',
      path: '/v1/apply',
      headers: { ...YAML, 'content-length': '100' },
    });
    slow.on('error', () => undefined);
    slow.write('a: ');
    expect((await cloud.fetch('/v1/sites')).status).toBe(200);
    slow.destroy();
  });

  it.each([
    ['scale', '{"replicas": "many"}', 'replicas'],
    ['scale', '{"replicas": -1}', 'replicas'],
    ['scale', '{"replicas": 1.5}', 'replicas'],
    ['scale', '{"replicas": 1000000}', 'replicas'],
    ['scale', '{"replicas": 1, "force": true}', 'force'],
  ])('refuses %s with the body %s', async (verb, body, where) => {
    const answer = await cloud.fetch(`/v1/workloads/shop/web/${verb}`, { method: 'POST', body });
    expect((await problemOf(answer)).issues.map(({ path }) => path)).toEqual([where]);
  });
});

describe('changes to one workload', () => {
  it('scales, stops, starts and removes it; a removed one is not there any more', async () => {
    await apply(yamlOf('changing'));
    const post = (verb: string, body?: string) =>
      cloud.fetch(`/v1/workloads/shop/changing/${verb}`, {
        method: 'POST',
        ...(body === undefined ? {} : { body }),
      });
    expect((await post('scale', '{"replicas":3}')).status).toBe(200);
    expect((await committed('changing'))?.spec.placement.replicas).toBe(3);
    await post('stop');
    expect((await committed('changing'))?.stopped).toBe(true);
    await post('start');
    expect((await committed('changing'))?.stopped).toBe(false);
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
    expect(await committed('planned')).toBeUndefined();
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

describe('limits', () => {
  it('takes documents of the largest size that is said', async () => {
    const filler = `# ${'x'.repeat(1_000)}\n`.repeat(700);
    const text = `${yamlOf('large')}${filler}`;
    expect(text.length).toBeLessThan(LIMITS.documentBytes);
    expect((await apply(text)).status).toBe(200);
    const over = await apply(`${text}${'# y\n'.repeat(40_000)}`);
    expect(await problemOf(over)).toMatchObject({
      code: 'too-large',
      hint: expect.stringContaining('documentBytes'),
    });
  });
});
