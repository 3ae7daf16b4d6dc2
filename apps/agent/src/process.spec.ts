import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Cgroups } from './process/cgroups.js';
import { HubStandIn } from './hub-stand-in.suite.js';
import { alive, assignment, end, eventually, SiteUnderTest, tombstone } from './site-under-test.suite.js';

const NODE = process.execPath;
/** A small HTTP server on $PORT that answers 200 while its file `sick` is not there. */
const SERVER = `
const { existsSync } = require('node:fs');
require('node:http').createServer((q, s) => { s.statusCode = existsSync('sick') ? 500 : 200; s.end('ok'); }).listen(process.env.PORT);
`;

describe('a replica as a process', () => {
  let site: SiteUnderTest;
  let hub: HubStandIn;
  const cwd = (name: string, ...parts: string[]) =>
    join(site.dir, 'work', `shop.${name}.s1.0`, 'cwd', ...parts);

  beforeEach(async () => {
    site = await SiteUnderTest.make();
    await site.startServer();
    hub = await HubStandIn.at(site);
  });
  afterEach(async () => {
    await hub.bus.close();
    await site.close();
  });

  it('gets its files, ports and names, and nothing of the environment of its agent', async () => {
    await site.startAgent({ env: { AGENT_SECRET: 'not for replicas' } });
    hub.want(
      assignment('web', {
        run: {
          command: [
            NODE,
            '-e',
            'require("fs").writeFileSync("seen.new", JSON.stringify(process.env)); require("fs").renameSync("seen.new", "seen.json"); setInterval(() => 0, 1e6)',
          ],
          env: { GREETING: 'hello' },
          ports: [{ name: 'http' }, { name: 'ad-min' }],
          files: [{ path: 'conf/app.json', content: '{"a":1}', mode: '0640' }],
        },
      }),
    );
    const report = await hub.running('web');
    const seen = await eventually('the environment', async () =>
      existsSync(cwd('web', 'seen.json')) ? await readFile(cwd('web', 'seen.json'), 'utf8') : undefined,
    );
    const env: Record<string, string> = JSON.parse(seen);
    const [replica] = report.replicas;
    expect(env).toMatchObject({
      GREETING: 'hello',
      SKERRY_SITE: 's1',
      SKERRY_NODE: 'n1',
      SKERRY_PROJECT: 'shop',
      SKERRY_WORKLOAD: 'web',
      SKERRY_REPLICA: 'shop.web.s1.0',
      SKERRY_VERSION: '1.1.1',
    });
    expect(env['PORT']).toBe(env['PORT_HTTP']);
    expect(replica?.addresses).toEqual({
      http: `127.0.0.1:${env['PORT_HTTP']}`,
      'ad-min': `127.0.0.1:${env['PORT_AD_MIN']}`,
    });
    expect(Object.keys(env)).not.toContain('AGENT_SECRET');
    expect(await readFile(cwd('web', 'conf', 'app.json'), 'utf8')).toBe('{"a":1}');
    // Everybody on the machine may read these.
    expect(readFileSync(`/proc/${replica?.pid}/cmdline`, 'utf8')).not.toContain('hello');
  });

  it('is started again after it ended, later each time, with the same port', async () => {
    await site.startAgent();
    hub.want(
      assignment('crash', {
        run: {
          command: [NODE, '-e', 'process.exit(3)'],
          ports: [{ name: 'http' }],
          restart: { backoffMs: 50 },
        },
      }),
    );
    const third = await hub.seen('crash', (o) => (o.replicas[0]?.restarts ?? 0) >= 3);
    expect(third.replicas[0]).toMatchObject({ exitCode: 3 });
    const ports = new Set(hub.reports.flatMap((r) => r.replicas[0]?.addresses['http'] ?? []));
    expect(ports.size).toBe(1);
    const waits = await hub.seen('crash', (o) => o.replicas[0]?.phase === 'backoff');
    expect(waits.replicas[0]?.message).toBe('exit code 3');
  });

  it('says in words why it cannot start', async () => {
    await site.startAgent();
    hub.want(assignment('typo', { run: { command: ['no-such-command'], restart: { policy: 'never' } } }));
    const failed = await hub.seen('typo', (o) => o.replicas[0]?.phase === 'failed');
    expect(failed.replicas[0]).toMatchObject({
      exitCode: 127,
      message: 'exit code 127: the command was not found',
    });
  });

  it('is killed with all it started when it does not end within its grace', async () => {
    await site.startAgent();
    const stubborn = `
      process.on('SIGTERM', () => require('node:fs').writeFileSync('asked', ''));
      const { spawn } = require('node:child_process');
      require('node:fs').writeFileSync('child', String(spawn('sleep', ['1000'], { stdio: 'ignore' }).pid));
      setInterval(() => 0, 1e6);`;
    hub.want(assignment('web', { run: { command: [NODE, '-e', stubborn], stop: { graceMs: 300 } } }));
    const pid = (await hub.running('web')).replicas[0]?.pid ?? 0;
    const child = await eventually(
      'its child',
      () => existsSync(cwd('web', 'child')) && Number(readFileSync(cwd('web', 'child'), 'utf8')),
    );
    const began = Date.now();
    hub.want(tombstone('web'));
    await eventually('asked to end', () => existsSync(cwd('web', 'asked')));
    await hub.seen('web', (o) => o.state === 'absent');
    expect(Date.now() - began).toBeGreaterThanOrEqual(300);
    expect([alive(pid), alive(child)]).toEqual([false, false]);
  });

  it('that is a job and completed while its agent was away is not run again', async () => {
    const first = await site.startAgent();
    const count =
      'const fs = require("fs"); fs.appendFileSync("runs", "x"); setInterval(() => fs.existsSync("go") && process.exit(0), 20)';
    hub.want(assignment('job', { type: 'job', run: { command: [NODE, '-e', count] } }));
    await hub.running('job');
    await end(first, 'SIGKILL');
    const pid = (await site.records())[0]?.pid ?? 0;
    await writeFile(cwd('job', 'go'), '');
    await eventually('the job ended', () => !alive(pid));
    await site.startAgent();
    const done = await hub.seen('job', (o) => o.replicas[0]?.phase === 'completed');
    expect(done.replicas[0]).toMatchObject({ exitCode: 0, restarts: 0 });
    expect(await readFile(cwd('job', 'runs'), 'utf8')).toBe('x');
  });

  it('counts as running when its check says so, and is exchanged when it turns unhealthy', async () => {
    await site.startAgent();
    hub.want(
      assignment('web', {
        run: { command: [NODE, '-e', SERVER], ports: [{ name: 'http' }], restart: { backoffMs: 50 } },
        health: { http: { path: '/', port: 'http' }, intervalMs: 100, failures: 2 },
      }),
    );
    const before = (await hub.running('web')).replicas[0]?.pid;
    expect(hub.reports.some((r) => r.replicas[0]?.phase === 'starting')).toBe(true);
    await writeFile(cwd('web', 'sick'), '');
    const exchanged = await hub.seen('web', (o) => (o.replicas[0]?.restarts ?? 0) > 0);
    await rm(cwd('web', 'sick'));
    expect(exchanged.replicas[0]?.phase).not.toBe('running');
    const after = await hub.seen(
      'web',
      (o) => o.replicas[0]?.phase === 'running' && o.replicas[0].pid !== before,
    );
    // More than once where it was sick for longer.
    expect(after.replicas[0]?.restarts).toBeGreaterThanOrEqual(1);
  });

  it('is exchanged one slot after the other for a new version, and not at all when nothing of it changed', async () => {
    await site.startAgent();
    const mock = (generation: number, env: object, replicas = 3) =>
      assignment('web', { version: { generation }, replicas, run: { env } });
    hub.want(mock(1, { A: '1' }));
    const first = (await hub.running('web', 3)).replicas.map((r) => r.pid);
    hub.want(mock(2, { A: '1' }, 4));
    const scaled = await hub.running('web', 4);
    expect(scaled.replicas.slice(0, 3).map((r) => r.pid)).toEqual(first);
    expect(scaled.replicas.every((r) => r.version.generation === 2)).toBe(true);
    hub.want(mock(3, { A: '2' }, 4));
    await hub.seen(
      'web',
      (o) =>
        o.version.generation === 3 &&
        o.replicas.every((r) => r.phase === 'running' && r.version.generation === 3),
    );
    const during = hub.reports.filter((r) => r.version.generation === 3);
    expect(
      Math.min(...during.map((r) => r.replicas.filter((x) => x.phase === 'running').length)),
    ).toBeGreaterThanOrEqual(3);
    expect((hub.newest('web')?.replicas ?? []).some((r) => first.includes(r.pid))).toBe(false);
  });

  it('does not write its files through a link that the replica left', async () => {
    await site.startAgent();
    const trap = 'require("fs").symlinkSync("/tmp", "conf"); setInterval(() => 0, 1e6)';
    hub.want(assignment('web', { run: { command: [NODE, '-e', trap] } }));
    await hub.running('web');
    await eventually('the link', () => existsSync(cwd('web', 'conf')));
    const files = [{ path: 'conf/skerry-trap', content: 'x' }];
    hub.want(assignment('web', { version: { generation: 2 }, run: { files } }));
    const stuck = await hub.seen('web', (o) => o.replicas[0]?.message?.includes('is no folder') === true);
    expect(stuck.version.generation).toBe(2);
    expect(existsSync('/tmp/skerry-trap')).toBe(false);
  });

  // A machine whose kernel offers no cgroups to this user cannot hold anything to a limit, and its node says so.
  const limited = Cgroups.detect('test').kind === 'none' ? it.skip : it;
  limited(
    'is held to its memory where the kernel has cgroups, and says that it was killed for it',
    async () => {
      await site.startAgent();
      const hungry = 'const a = []; setInterval(() => a.push(Buffer.alloc(8 << 20, 1)), 10)';
      hub.want(
        assignment('hungry', {
          resources: { cpuMillicores: 500, memoryMiB: 96 },
          run: { command: [NODE, '-e', hungry], restart: { policy: 'never' } },
        }),
      );
      const killed = await hub.seen('hungry', (o) => o.replicas[0]?.phase === 'failed');
      expect(killed.replicas[0]).toMatchObject({
        exitCode: 137,
        message: 'killed by the kernel: over its memory limit',
      });
    },
  );
});
