import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { joinAnswerSchema, type AddSiteAnswer } from '@skerry/contracts';
import { makeMachine } from '../service/hub.js';
import { until } from '../service/plain-server.js';
import { ApiCloud } from './api-cloud.js';

let cloud: ApiCloud;
let folder: string;
let answer: AddSiteAnswer;
const site = (name: string) => ({ site: { name, location: { lat: 53.5, lon: 10 } }, address: '127.0.0.1' });

beforeAll(async () => {
  cloud = await ApiCloud.start();
  folder = await mkdtemp(join(tmpdir(), 'skerry-machine-'));
  answer = await cloud.client().addSite(full(site('shop-7')));
}, 60_000);
afterAll(async () => {
  await cloud?.stop();
  await rm(folder, { recursive: true, force: true });
}, 20_000);

function full(given: ReturnType<typeof site>) {
  const prices = { cpuCoreMonth: 0, memoryGiBMonth: 0, egressGiB: 0, gpuMonth: 0 };
  const rest = {
    kind: 'edge' as const,
    jurisdictions: [],
    provider: 'own',
    prices,
    labels: {},
    rttMs: {},
    taints: [],
    links: {},
    datasets: [],
  };
  return { ...given, site: { ...rest, ...given.site } };
}

/** Runs a line in a shell as the person at the new machine would. */
async function shell(line: string): Promise<{ code: number | null; out: string; err: string }> {
  const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` };
  const child = spawn('sh', ['-c', line], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, out, err };
}

async function ask(
  method: string,
  path: string,
  body = '',
): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
  const options = {
    method,
    rejectUnauthorized: false,
    headers: { 'content-length': Buffer.byteLength(body) },
  };
  return new Promise((resolve, reject) => {
    const asked = request(`${answer.endpoint}${path}`, options, (reply) => {
      void text(reply).then(
        (all) => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text: all }),
        reject,
      );
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('the line that `site add` prints', () => {
  it('fetches the agent from the pinned endpoint and gives it the token by standard input, never as an argument', async () => {
    expect(answer.command).not.toContain('\n');
    const ran = await shell(answer.command);
    expect(ran.err).toBe('');
    expect(JSON.parse(ran.out)).toEqual({
      args: ['join', answer.endpoint, '--pin', answer.pin],
      stdin: answer.token,
    });
  });

  it('keeps nothing that came from an endpoint with another key, and says so', async () => {
    await rm(join(folder, 'skerry-agent.mjs'));
    const other = `sha256//${'A'.repeat(43)}=`;
    const ran = await shell(answer.command.replaceAll(answer.pin, other));
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('another pin');
    expect(await readdir(folder)).toEqual([]);
  });

  it('says when nobody is there', async () => {
    const ran = await shell(answer.command.replaceAll(answer.endpoint, 'https://127.0.0.1:9'));
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('ECONNREFUSED');
  });
});

describe('the join endpoint', () => {
  it('lets a machine in once with its token, and tells it where to renew', async () => {
    const machine = await makeMachine('shop-7');
    const body = JSON.stringify({ token: answer.token, userKey: machine.user.publicKey, csr: machine.csr });
    const joined = await ask('POST', '/join', body);
    expect({ status: joined.status, text: joined.status === 200 ? '' : joined.text }).toEqual({
      status: 200,
      text: '',
    });
    expect(joinAnswerSchema.parse(JSON.parse(joined.text))).toMatchObject({
      site: 'shop-7',
      renewUrl: `${answer.endpoint}/renew`,
    });
    const thief = await makeMachine('shop-7');
    const stolen = { token: answer.token, userKey: thief.user.publicKey, csr: thief.csr };
    const again = await ask('POST', '/join', JSON.stringify(stolen));
    expect(again.status).toBeGreaterThanOrEqual(400);
    expect(again.text).not.toContain(answer.token);
  });

  it('gives a new token for a site that has not joined, and ends the old one', async () => {
    const first = await cloud.client().addSite(full(site('shop-8')));
    const second = await cloud.client().addSite(full(site('shop-8')));
    expect(second.site.generation).toBe(first.site.generation);
    expect(second.token).not.toBe(first.token);
    const machine = await makeMachine('shop-8');
    const keys = { userKey: machine.user.publicKey, csr: machine.csr };
    expect(
      (await ask('POST', '/join', JSON.stringify({ token: first.token, ...keys }))).status,
    ).toBeGreaterThanOrEqual(400);
    expect((await ask('POST', '/join', JSON.stringify({ token: second.token, ...keys }))).status).toBe(200);
  });

  it('does not take a site that waits to join for another one of the same name', async () => {
    const moved = {
      ...full(site('shop-9')),
      site: { ...full(site('shop-9')).site, location: { lat: 1, lon: 1 } },
    };
    await cloud.client().addSite(full(site('shop-9')));
    await expect(cloud.client().addSite(moved)).rejects.toThrow(/name of a site/);
    const again = await cloud.skerry(['site', 'add', 'shop-9', '--json']);
    expect(JSON.parse(again.out)).toMatchObject({
      site: { location: { lat: 53.5 } },
      token: expect.stringMatching(/^skj_/),
    });
  });

  it('serves the agent with its digest', async () => {
    const agent = await ask('GET', '/agent.mjs');
    expect(agent).toMatchObject({
      status: 200,
      headers: { 'x-sha256': expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  it.each([
    { method: 'POST', path: '/join', what: 'without JSON', body: '{', status: 400 },
    { method: 'POST', path: '/join', what: 'without keys', body: '{}', status: 422 },
    { method: 'POST', path: '/join', what: 'over its limit', body: 'x'.repeat(200_000), status: 413 },
    { method: 'GET', path: '/nats-server', what: 'when there is none to give', body: '', status: 404 },
    {
      method: 'GET',
      path: '/../../etc/passwd',
      what: 'and whatever is no path of its own',
      body: '',
      status: 404,
    },
    { method: 'GET', path: '/v1/status', what: 'of the api itself', body: '', status: 404 },
    { method: 'DELETE', path: '/join', what: 'by another method', body: '', status: 404 },
  ])('refuses $method $path $what', async ({ method, path, body, status }) => {
    expect((await ask(method, path, body)).status).toBe(status);
  });

  it('repeats nothing that it was sent, since it could be a token', async () => {
    const refused = await ask(
      'POST',
      '/join',
      JSON.stringify({ token: 7, userKey: answer.token, csr: answer.token }),
    );
    expect(refused.text).toContain('userKey');
    expect(refused.text).not.toContain(answer.token);
    expect(cloud.log).not.toContain(answer.token);
  });

  it('outlives machines that go away in the middle', async () => {
    for (const path of ['/join', '/agent.mjs']) {
      const options = { method: path === '/join' ? 'POST' : 'GET', rejectUnauthorized: false };
      const asked = request(`${answer.endpoint}${path}`, {
        ...options,
        headers: { 'content-length': 1_000 },
      });
      const gone = new Promise<void>((resolve) => asked.on('close', resolve));
      asked.on('error', () => undefined);
      asked.write('{"token":', () => asked.destroy());
      await gone;
    }
    expect((await ask('GET', '/agent.mjs')).status).toBe(200);
  });

  it('slows down guessing', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 15; i += 1) statuses.push((await ask('POST', '/join', '{}')).status);
    expect(statuses).toContain(429);
  });

  it('opens again where it was after a restart of the api, so that sites can renew', async () => {
    await cloud.restartApi();
    const agent = await until(() => ask('GET', '/agent.mjs').catch(() => undefined), 'the endpoint answers');
    expect(agent.status).toBe(200);
    expect(await readFile(join(cloud.hub.folder, 'join-tls', 'join-endpoint.json'), 'utf8')).toContain(
      '127.0.0.1',
    );
  });
});
