import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  issueServerCertificate,
  issueSiteCertificate,
  makeCa,
  NKey,
  siteUserJwt,
  spkiPin,
} from '@skerry/identity';
import { SITE } from '@skerry/contracts';
import { findNatsServer } from '@skerry/nats-server';
import { HubStandIn } from './hub-stand-in.suite.js';
import { agentBundle, alive, assignment, end, eventually, SiteUnderTest } from './site-under-test.suite.js';

const leafPid = (site: SiteUnderTest): number | undefined => {
  const path = join(site.dir, 'state', 'leaf-server.json');
  if (!existsSync(path)) return undefined;
  const found: { pid?: number } = JSON.parse(readFileSync(path, 'utf8'));
  return found.pid;
};

describe('an agent that runs its own server', () => {
  let site: SiteUnderTest;

  beforeEach(async () => {
    site = await SiteUnderTest.make();
  });
  afterEach(async () => {
    const pid = leafPid(site);
    if (pid !== undefined && alive(pid)) process.kill(pid, 'SIGKILL');
    await site.close();
  });

  it('starts it again when it was killed, and finds it again after its own end', async () => {
    const first = await site.startAgent({ command: 'up' });
    const one = await eventually('a server', () => leafPid(site));
    const hub = await HubStandIn.at(site);
    hub.want(assignment('web'));
    await hub.running('web');
    process.kill(one, 'SIGKILL');
    const two = await eventually('another server', () => {
      const pid = leafPid(site);
      return pid !== one && pid !== undefined && alive(pid) ? pid : undefined;
    });
    await end(first, 'SIGTERM');
    expect(alive(two)).toBe(true);
    await site.startAgent({ command: 'up' });
    hub.want(assignment('web', { version: { generation: 2 }, replicas: 2 }));
    await hub.running('web', 2);
    expect(leafPid(site)).toBe(two);
    await hub.bus.close();
  });

  it('leaves nothing on the machine when its site was removed, after its last word', async () => {
    const agent = await site.startAgent({ command: 'up' });
    const server = await eventually('a server', () => leafPid(site));
    const hub = await HubStandIn.at(site);
    const last: unknown[] = [];
    hub.bus.respond(SITE.retired, (m) => {
      last.push(m.json());
      return {};
    });
    hub.want(assignment('web', { replicas: 2 }));
    const pids = (await hub.running('web', 2)).replicas.map((r) => r.pid ?? 0);
    const ended = new Promise((resolve) => agent.once('exit', resolve));
    hub.want({ kind: 'Retirement', site: 's1', generation: 7, at: new Date().toISOString() });
    expect(await ended).toBe(0);
    expect(last).toMatchObject([{ kind: 'Retirement', site: 's1', generation: 7 }]);
    expect(existsSync(site.dir)).toBe(false);
    expect([...pids, server].filter(alive)).toEqual([]);
    await hub.bus.close();
  });
});

describe('an agent told to end', () => {
  it('stops its replicas by SIGUSR2, and brings them up again the next time', async () => {
    const site = await SiteUnderTest.make();
    await site.startServer();
    const hub = await HubStandIn.at(site);
    try {
      const first = await site.startAgent();
      hub.want(assignment('web', { replicas: 2 }));
      const pids = (await hub.running('web', 2)).replicas.map((r) => r.pid ?? 0);
      await end(first, 'SIGUSR2');
      expect(first.exitCode).toBe(0);
      expect(pids.filter(alive)).toEqual([]);
      // Nobody is to believe that they still run.
      expect(hub.newest('web')?.replicas.map((r) => [r.phase, r.pid])).toEqual([
        ['backoff', undefined],
        ['backoff', undefined],
      ]);
      await site.startAgent();
      const again = await hub.seen('web', (o) =>
        o.replicas.every((r) => r.phase === 'running' && !pids.includes(r.pid ?? 0)),
      );
      expect(again.replicas).toHaveLength(2);
    } finally {
      await hub.bus.close();
      await site.close();
    }
  });

  it('ends all the same when the hub takes no reports, and says later what became of them', async () => {
    const site = await SiteUnderTest.make();
    await site.startServer();
    const hub = await HubStandIn.at(site);
    try {
      const first = await site.startAgent();
      hub.want(assignment('web'));
      const [known] = (await hub.running('web')).replicas;
      hub.intake = () => ({ ok: false, code: 'unavailable', retryAfterMs: 250 });
      await end(first, 'SIGUSR2');
      expect(first.exitCode).toBe(0);
      expect(hub.newest('web')?.replicas).toEqual([known]);
      hub.intake = () => ({ ok: true });
      await site.startAgent();
      await hub.seen('web', (o) => o.replicas.every((r) => r.phase === 'running' && r.pid !== known?.pid));
    } finally {
      await hub.bus.close();
      await site.close();
    }
  });

  it('is the only one in its folder', async () => {
    const site = await SiteUnderTest.make();
    try {
      await site.startAgent();
      await eventually('the lock', () => existsSync(join(site.dir, 'state', 'agent.lock')));
      const bundle = await agentBundle();
      const second = await ended(spawn(process.execPath, [bundle, 'run', '--dir', site.dir]));
      expect(second.code).toBe(1);
      expect(second.stderr).toMatch(/an agent runs in this folder already \(process \d+\): stop it first/);
    } finally {
      await site.close();
    }
  });
});

describe('joining', () => {
  let site: SiteUnderTest;
  let endpoint: Server;
  let url: string;
  let pin: string;
  let asked: { path: string; body: string }[];
  let answer: (path: string, body: string) => Promise<{ status: number; body: object }>;

  beforeEach(async () => {
    site = await SiteUnderTest.make();
    const nowMs = Date.now();
    const ca = await makeCa({ name: 'servers', nowMs });
    const sites = await makeCa({ name: 'sites', nowMs });
    const server = await issueServerCertificate(ca, { name: 'join', ipAddresses: ['127.0.0.1'], nowMs });
    pin = spkiPin(server.certPem);
    asked = [];
    const account = NKey.create('account');
    answer = async (_path, body) => {
      const { userKey, csr: csrPem }: { userKey: string; csr: string } = JSON.parse(body);
      const userJwt = siteUserJwt({
        name: 'x',
        user: userKey,
        account: account.publicKey,
        issuer: account,
        issuedAtMs: nowMs,
        expiresAtMs: nowMs + 3_600_000,
      });
      const certificate = await issueSiteCertificate(sites, { site: 'shop-7', csrPem, nowMs });
      return {
        status: 200,
        body: {
          site: 'shop-7',
          account: account.publicKey,
          userJwt,
          userJwtExpiresAt: new Date(nowMs + 3_600_000).toISOString(),
          certificate,
          ca: ca.certPem,
          leafUrls: ['tls://127.0.0.1:1'],
          renewUrl: `${url}/renew`,
        },
      };
    };
    endpoint = createServer(
      { key: server.keyPem, cert: server.certPem, minVersion: 'TLSv1.3' },
      (request, response) => {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk.toString()));
        request.on('end', () => {
          asked.push({ path: request.url ?? '', body });
          void answer(request.url ?? '', body).then((a) =>
            response.writeHead(a.status).end(JSON.stringify(a.body)),
          );
        });
      },
    );
    await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
    const address = endpoint.address();
    url = `https://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  });
  afterEach(async () => {
    endpoint.closeAllConnections();
    await new Promise((resolve) => endpoint.close(resolve));
    await site.close();
  });

  const run = async (args: string[], env: Record<string, string>, input = '') => {
    const child = spawn(process.execPath, [await agentBundle(), 'join', ...args], {
      env: { ...process.env, NATS_SERVER: await findNatsServer(), ...env },
    });
    child.stdin.end(input);
    return { child, done: ended(child) };
  };

  it('makes its own keys, sends none of them, and runs as the site that it became', async () => {
    const dir = join(site.dir, 'joined');
    const { child } = await run([url, '--pin', pin, '--dir', dir], {}, 'skj_abc_secret\n');
    await eventually('a server of its own', () => existsSync(join(dir, 'state', 'leaf-server.json')), 20_000);
    const sent: Record<string, string> = JSON.parse(asked.find((a) => a.path === '/join')?.body ?? '{}');
    expect(Object.keys(sent).toSorted()).toEqual(['csr', 'token', 'userKey']);
    expect(sent['token']).toBe('skj_abc_secret');
    const file: Record<string, unknown> = JSON.parse(await readFile(join(dir, 'site.json'), 'utf8'));
    expect(file).toMatchObject({ site: 'shop-7', renew: { url: `${url}/renew`, pin } });
    const modes = execFileSync('find', [
      dir,
      '-maxdepth',
      '2',
      '-type',
      'f',
      '-perm',
      '/077',
      '-name',
      '*.seed',
    ]);
    expect(modes.toString()).toBe('');
    const seeds = (await readdir(dir)).filter((f) => f.endsWith('.seed'));
    expect(seeds.toSorted()).toEqual(
      ['agent', 'local', 'logins', 'operator', 'user'].map((of) => `${of}.seed`),
    );
    await end(child, 'SIGUSR2');
    const found: { pid: number } = JSON.parse(await readFile(join(dir, 'state', 'leaf-server.json'), 'utf8'));
    expect(alive(found.pid)).toBe(false);
  });

  it('sends nothing to a server whose key is another than the line says', async () => {
    const other = `sha256//${Buffer.alloc(32).toString('base64')}`;
    const { done } = await run(
      [url, '--pin', other, '--dir', join(site.dir, 'joined')],
      {},
      'skj_abc_secret',
    );
    const { code, stderr } = await done;
    expect(code).toBe(1);
    expect(stderr).toContain('is not the server of the join line');
    expect(asked).toEqual([]);
  });

  it('says what the hub says when it refuses, and leaves no site behind', async () => {
    answer = () =>
      Promise.resolve({
        status: 401,
        body: { title: 'the join token was used before', hint: 'run skerry site add again' },
      });
    const dir = join(site.dir, 'joined');
    const { done } = await run([url, '--pin', pin, '--dir', dir], { SKERRY_JOIN_TOKEN: 'skj_abc_secret' });
    const { code, stderr } = await done;
    expect(code).toBe(1);
    expect(stderr).toContain('the hub refuses: the join token was used before (run skerry site add again)');
    expect(stderr).not.toContain('skj_abc_secret');
    expect(existsSync(join(dir, 'site.json'))).toBe(false);
  });

  it('takes no token as an argument, and no folder that is a site already', async () => {
    const argument = await (await run([url, 'skj_abc_secret', '--pin', pin], {})).done;
    expect(argument).toMatchObject({ code: 2 });
    expect(argument.stderr).toContain('standard input or SKERRY_JOIN_TOKEN');
    const taken = await (await run([url, '--pin', pin, '--dir', site.dir], {}, 'skj_abc_secret')).done;
    expect(taken.stderr).toContain('is the folder of a site already');
    const none = await (await run([url, '--pin', pin, '--dir', join(tmpdir(), 'nowhere')], {})).done;
    expect(none.stderr).toContain('the join token is missing');
    expect(asked).toEqual([]);
  });

  it('is renewed at half of the token life, by the key it joined with', async () => {
    const file = join(site.dir, 'site.json');
    const present: object = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...present, renew: { url: `${url}/renew`, pin } }));
    const user = NKey.fromSeed(await readFile(join(site.dir, 'user.seed'), 'utf8'));
    const account = NKey.create('account');
    const token = (from: number, to: number) =>
      siteUserJwt({
        name: 'x',
        user: user.publicKey,
        account: account.publicKey,
        issuer: account,
        issuedAtMs: from,
        expiresAtMs: to,
      });
    const { writeCreds } = await import('@skerry/identity');
    // It has lain still for longer than its token lived.
    await writeCreds(
      join(site.dir, 'leaf.creds'),
      token(Date.now() - 7_200_000, Date.now() - 3_600_000),
      user,
    );
    const fresh = token(Date.now(), Date.now() + 3_600_000);
    answer = (_path, _body) =>
      Promise.resolve({
        status: 200,
        body: {
          site: 's1',
          account: account.publicKey,
          userJwt: fresh,
          userJwtExpiresAt: new Date().toISOString(),
          certificate: 'unchanged',
          ca: 'unchanged',
          leafUrls: ['tls://127.0.0.1:1'],
          renewUrl: `${url}/renew`,
        },
      });
    await site.startAgent();
    await eventually('new credentials', async () =>
      (await readFile(join(site.dir, 'leaf.creds'), 'utf8')).includes(fresh),
    );
    const { checkRenewal } = await import('@skerry/identity');
    const request = JSON.parse(asked.find((a) => a.path === '/renew')?.body ?? '{}');
    expect(checkRenewal(request, { site: 's1', userKey: user.publicKey, nowMs: Date.now() })).toEqual({
      ok: true,
    });
    expect(asked).toHaveLength(1);
  });
});

async function ended(child: ReturnType<typeof spawn>): Promise<{ code: number | null; stderr: string }> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stderr };
}
