import 'reflect-metadata';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import type { SkerryClient } from '@skerry/client';
import { agentProcess, clientOf, freePorts } from '@skerry/local';
import { findNatsServer } from '@skerry/nats-server';
import { BASE_VARIABLES, JsonLog, parseConfig, startService } from '@skerry/service';
import { z } from 'zod';
import { eventually, plainSite, ROOT, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { runSkerry } from './skerry-command.js';
import { mayMount, SmallDisk } from './small-disk.js';
import { replicasOf, untilPhase, whoAnswers } from './statuses.js';
import { httpService, mockService } from './workloads.js';

const DISK_MIB = 64;
/** Applies until the hub's last page is used up. */
const MOST_APPLIES = 20;
/** More than what may be left of the last page of a file: so the store of the site's server fails for certain. */
const PADDING = 'x'.repeat(7_000);

const withRoot = mayMount ? describe : describe.skip;
if (!mayMount) process.stderr.write('disks of their own need root: the tests of full disks are skipped\n');

withRoot('a disk that is full', () => {
  let home: string;
  let under: CloudUnderTest;
  let client: SkerryClient;
  let hubDisk: SmallDisk;
  let siteDisk: SmallDisk;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'skerry-limits-'));
    hubDisk = await SmallDisk.mount(join(home, 'hub', 'jetstream'), DISK_MIB);
    siteDisk = await SmallDisk.mount(join(home, 'sites', 'small'), DISK_MIB);
    under = await startCloud({ home, sites: [plainSite('small'), plainSite('roomy')] });
    client = await clientOf(under.cloud);
  }, 90_000);
  afterAll(async () => {
    await under.end();
    hubDisk.unmount();
    siteDisk.unmount();
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  const applied = (name: string) =>
    client.workload('test', name).then(
      () => true,
      () => false,
    );

  it('of the hub: an apply says so, nothing acknowledged is lost, and a restart with room mends it', async () => {
    await client.apply({ documents: [httpService('steady', { site: 'roomy' })] });
    const [before] = replicasOf(await untilPhase(client, 'steady', ['running']));
    await hubDisk.fill();
    const { acknowledged, refused } = await applyUntilRefused(under, home);
    expect(refused.result.code).toBe(1);
    expect(refused.result.stderr).toMatch(/^error: .*full.* \(storage-full\)$/m);
    expect(refused.result.stderr).toMatch(/^hint: free disk space at the hub, then restart its nats-server/m);
    for (const name of acknowledged) expect([name, await applied(name)]).toEqual([name, true]);
    expect((await whoAnswers(before?.addresses['http'])).pid).toBe(before?.pid);
    const doctor = await runSkerry(under, ['doctor']);
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toMatch(/^bad +hub .*no space left on device/m);

    await hubDisk.free();
    process.kill(under.cloud.supervisor.pid('hub') ?? 0, 'SIGTERM');
    await eventually(
      async () => ((await runSkerry(under, ['apply', '-f', refused.file])).code === 0 ? true : undefined),
      { withinMs: 40_000, what: 'the same apply goes through', everyMs: 500 },
    );
    for (const name of [...acknowledged, refused.name]) await untilPhase(client, name, ['running'], 30_000);
    const [after] = replicasOf(await untilPhase(client, 'steady', ['running']));
    expect([after?.pid, after?.restarts]).toEqual([before?.pid, 0]);
  }, 120_000);

  it('of a site: what runs goes on, the hub is told, and what waited comes up by itself when there is room', async () => {
    await serverByItsAgent(under, 'small');
    await client.apply({ documents: [httpService('old', { site: 'small' })] });
    const [before] = replicasOf(await untilPhase(client, 'old', ['running'], 30_000));
    const agent = under.cloud.supervisor.pid('agent-small');
    await siteDisk.fill();
    await client.apply({ documents: [httpService('new', { site: 'small', env: { PADDING } })] });
    const doctor = await eventually(
      async () => {
        const { stdout } = await runSkerry(under, ['doctor']);
        return /small trouble/.test(stdout) ? stdout : undefined;
      },
      { withinMs: 30_000, what: 'the doctor tells', everyMs: 500 },
    );
    expect(doctor).toMatch(/^bad +site small trouble +its disk takes nothing new: .*ENOSPC/m);
    expect(doctor).toMatch(/small trouble: .*make room on its disk/);
    expect((await whoAnswers(before?.addresses['http'])).pid).toBe(before?.pid);
    expect((await client.workload('test', 'new')).status?.phase).not.toBe('running');

    await siteDisk.free();
    await untilPhase(client, 'new', ['running'], 60_000);
    expect(await readFile(join(under.cloud.paths.logs, 'agent-small.log'), 'utf8')).toMatch(
      /stores nothing though there is room: it is restarted/,
    );
    const [after] = replicasOf(await untilPhase(client, 'old', ['running']));
    expect([after?.pid, after?.restarts]).toEqual([before?.pid, 0]);
    expect(under.cloud.supervisor.pid('agent-small')).toBe(agent);
    await eventually(
      async () => ((await runSkerry(under, ['doctor'])).stdout.includes('small trouble') ? undefined : true),
      { withinMs: 30_000, what: 'the doctor is content', everyMs: 500 },
    );
  }, 150_000);
});

describe('a hub with less storage than its streams may take', () => {
  let folder: string;
  let server: ChildProcess | undefined;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-limits-'));
  });
  afterAll(async () => {
    server?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('is named by the service that waits for it, and goes on once it has more', async () => {
    const [port = 0, healthPort = 0] = await freePorts(2);
    const start = async (maxFile: string) => {
      const conf = join(folder, 'hub.conf');
      const store = JSON.stringify(join(folder, 'jetstream'));
      await writeFile(
        conf,
        `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${store}, max_file: ${maxFile} }\n`,
      );
      await endOf(server);
      server = spawn(await findNatsServer(), ['-c', conf], { stdio: 'ignore' });
    };
    await start('8MB');
    const stopped = new AbortController();
    const starting = startService(
      { name: 'telemetry', module: Nothing, variables: {} },
      configOf({ SKERRY_NATS_URL: `nats://127.0.0.1:${port}`, SKERRY_HTTP_PORT: String(healthPort) }),
      { until: stopped.signal, log: new JsonLog('telemetry', '1', 'error') },
    );
    const reasons = await eventually(
      async () => {
        const answer = await fetch(`http://127.0.0.1:${healthPort}/readyz`);
        const found = readyzSchema.parse(await answer.json()).reasons.filter((r) => r.includes('KV_status'));
        return found.length > 0 ? found : undefined;
      },
      { withinMs: 20_000, what: 'the reason is given' },
    );
    expect(reasons.join()).toMatch(/cannot make bucket status: .*storage.*max_file/);
    await start('1GB');
    const service = await starting;
    expect(service.readiness.report().reasons).toEqual([]);
    stopped.abort();
    await service.stop();
  }, 60_000);
});

@Module({})
class Nothing {}

const readyzSchema = z.object({ reasons: z.array(z.string()) });

function configOf(env: Record<string, string>) {
  const parsed = parseConfig(BASE_VARIABLES, env);
  if (!parsed.ok) throw new Error(parsed.problems.map((p) => `${p.variable}: ${p.problem}`).join('; '));
  return parsed.value;
}

interface Refused {
  name: string;
  file: string;
  result: Awaited<ReturnType<typeof runSkerry>>;
}

/** Applies one workload after the other, until one is refused: a page or two of the hub's files may have been left. */
async function applyUntilRefused(
  under: CloudUnderTest,
  folder: string,
): Promise<{ acknowledged: string[]; refused: Refused }> {
  const acknowledged: string[] = [];
  for (let i = 0; i < MOST_APPLIES; i += 1) {
    const name = `full-${i}`;
    const file = join(folder, `${name}.json`);
    await writeFile(file, JSON.stringify(mockService(name, { site: 'roomy' })));
    const result = await runSkerry(under, ['apply', '-f', file]);
    if (result.code !== 0) return { acknowledged, refused: { name, file, result } };
    acknowledged.push(name);
  }
  throw new Error(`${MOST_APPLIES} applies went through on a full disk`);
}

/** Its port is free when it is gone. */
async function endOf(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** As at a site of its own: its agent runs its server, which `npm start` does for the sites of one machine. */
async function serverByItsAgent(under: CloudUnderTest, site: string): Promise<void> {
  const { supervisor, paths } = under.cloud;
  await supervisor.stop(`agent-${site}`);
  await supervisor.stop(`leaf-${site}`);
  const natsServer = await findNatsServer();
  const run = agentProcess({ root: ROOT, natsServer, env: { NATS_SERVER: natsServer } }, paths, site);
  const [node, ...args] = run.argv;
  supervisor.start({ ...run, argv: [node, ...args.map((arg) => (arg === 'run' ? 'up' : arg))] });
}
