import { request } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { apply, committed, problemOf, YAML } from './api-calls.js';
import type { ApiCloud } from './api-cloud.js';
import { yamlOf } from './stand-ins.js';

/** Registers the cases of tokens and roles. */
export function whoMayAsk(cloud: () => ApiCloud): void {
  describe('who may ask', () => {
    it.each([
      ['no token', undefined, /token is needed/],
      ['a token that is none', 'Bearer secret', /no token of Skerry/],
      ['a token that is not known', `Bearer sky_${'0'.repeat(12)}_${'a'.repeat(43)}`, /not known/],
      ['another scheme', 'Basic dXNlcjpwYXNz', /token is needed/],
    ])('refuses %s, and says what to do', async (_what, authorization, title) => {
      const headers: Record<string, string> =
        authorization === undefined ? { authorization: '' } : { authorization };
      const answer = await cloud().fetch('/v1/status', { headers });
      const problem = await problemOf(answer);
      expect(problem).toMatchObject({
        status: 401,
        code: 'unauthorized',
        title: expect.stringMatching(title),
      });
      expect(problem.hint).toContain('context.json');
      expect(answer.headers.get('www-authenticate')).toContain('Bearer');
    });

    it('refuses a token that has expired', async () => {
      const problem = await problemOf(await cloud().fetch('/v1/status', {}, 'expired'));
      expect(problem.title).toContain('expired');
    });

    it('slows down guessing without locking out who has a token', async () => {
      const wrong = { headers: { authorization: `Bearer sky_${'1'.repeat(12)}_${'b'.repeat(43)}` } };
      const statuses = [];
      for (let i = 0; i < 15; i += 1) statuses.push((await cloud().fetch('/v1/status', wrong)).status);
      expect(statuses).toContain(429);
      expect((await cloud().fetch('/v1/status')).status).toBe(200);
    });

    it('lets a viewer look and change nothing', async () => {
      expect((await cloud().fetch('/v1/sites', {}, 'viewer')).status).toBe(200);
      const answer = await cloud().fetch(
        '/v1/apply',
        { method: 'POST', headers: YAML, body: yamlOf('viewed') },
        'viewer',
      );
      expect(await problemOf(answer)).toMatchObject({ status: 403, code: 'forbidden' });
      expect(await committed(cloud(), 'viewed')).toBeUndefined();
      const site = {
        method: 'POST',
        body: JSON.stringify({ site: { name: 'x', location: { lat: 0, lon: 0 } }, address: '127.0.0.1' }),
      };
      expect((await problemOf(await cloud().fetch('/v1/sites', site, 'viewer'))).code).toBe('forbidden');
      expect((await problemOf(await cloud().fetch('/v1/dlq', {}, 'viewer'))).code).toBe('forbidden');
      expect((await problemOf(await cloud().fetch('/v1/dlq/1', { method: 'DELETE' }, 'operator'))).code).toBe(
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
      const answer = await cloud().fetch(
        '/v1/apply',
        { method: 'POST', headers: forged, body: yamlOf('forged') },
        'viewer',
      );
      expect((await problemOf(answer)).code).toBe('forbidden');
    });

    it('never logs a token', () => {
      for (const token of Object.values(cloud().tokens)) expect(cloud().log).not.toContain(token.slice(-30));
    });
  });
}

/** Registers the cases of paths, queries and bodies that are wrong. */
export function askedWrongly(cloud: () => ApiCloud): void {
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
      const problem = await problemOf(await cloud().fetch(path));
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
      expect((await problemOf(await cloud().fetch(path))).code).toBe('not-found');
    });

    it('refuses a request id that could not be a subject', async () => {
      const answer = await apply(cloud(), yamlOf('ids'), { ...YAML, 'idempotency-key': 'a.b.>' });
      expect(await problemOf(answer)).toMatchObject({
        code: 'invalid',
        issues: [{ path: 'Idempotency-Key' }],
      });
    });

    it('ignores a trace that is none', async () => {
      const answer = await apply(cloud(), yamlOf('untraced'), {
        ...YAML,
        traceparent: `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`,
      });
      expect(answer.headers.get('x-trace-id')).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    });

    it('lets a request that never ends go', async () => {
      const slow = request({
        port: cloud().port,
        method: 'POST',
        path: '/v1/apply',
        headers: { ...YAML, 'content-length': '100' },
      });
      slow.on('error', () => undefined);
      slow.write('a: ');
      expect((await cloud().fetch('/v1/sites')).status).toBe(200);
      slow.destroy();
    });

    it.each([
      ['scale', '{"replicas": "many"}', 'replicas'],
      ['scale', '{"replicas": -1}', 'replicas'],
      ['scale', '{"replicas": 1.5}', 'replicas'],
      ['scale', '{"replicas": 1000000}', 'replicas'],
      ['scale', '{"replicas": 1, "force": true}', 'force'],
    ])('refuses %s with the body %s', async (verb, body, where) => {
      const answer = await cloud().fetch(`/v1/workloads/shop/web/${verb}`, { method: 'POST', body });
      expect((await problemOf(answer)).issues.map(({ path }) => path)).toEqual([where]);
    });
  });
}
