// A site with a cluster of three servers of its own: does anything get lost, and how long does it stall, when one dies?
import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { observedSchema } from '@skerry/contracts';
import { readSeed, siteConfig } from '@skerry/identity';
import { clientOf } from '@skerry/local';
import { findNatsServer } from '@skerry/nats-server';
import { ROOT, plainSite, startCloud } from '../e2e/cloud-under-test.js';

const SITE = 'plant';
const EVERY_MS = 250;
/** Of a round: load before the kill, while the server is dead, and after it is back. */
const PHASES_MS = [3_000, 12_000, 10_000] as const;
const WAIT_MS = 60_000;

interface Server {
  name: string;
  conf: string;
  child: ChildProcess | undefined;
}

const under = await startCloud({ sites: [plainSite(SITE)] });
const { cloud, admin } = under;
const client = await clientOf(cloud);
const servers: Server[] = [];
let agent: ChildProcess | undefined;
/** When each workload was applied, and when the hub heard that it runs. */
const applied = new Map<string, number>();
const running = new Map<string, number>();
try {
  await cloud.supervisor.stop(`agent-${SITE}`);
  await cloud.supervisor.stop(`leaf-${SITE}`);
  await makeServers();
  for (const server of servers) await startServer(server);
  await sleep(5_000);
  agent = spawn(
    process.execPath,
    [join(ROOT, 'apps/agent/dist/bundle.mjs'), 'run', '--dir', cloud.paths.site(SITE)],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, SKERRY_LOG: process.env['SKERRY_LOG'] ?? 'error' },
    },
  );
  await admin.follow(
    'OBSERVED',
    (m) => {
      const parsed = observedSchema.safeParse(m.json());
      if (
        parsed.success &&
        parsed.data.replicas.some((r) => r.phase === 'running') &&
        !running.has(parsed.data.name)
      )
        running.set(parsed.data.name, performance.now());
    },
    { filters: [`observed.${SITE}.workload.>`] },
  );
  await load('warm', 1_000);
  await settled();
  const leader = async (stream: string) => await leaderOf(stream);
  for (const which of ['DESIRED', 'OUT', 'neither'] as const) {
    const leaders = { DESIRED: await leader('DESIRED'), OUT: await leader('OUT') };
    const victim =
      which === 'neither'
        ? servers.find(({ name }) => !Object.values(leaders).includes(name))
        : servers.find(({ name }) => name === leaders[which]);
    if (victim === undefined) continue;
    const round = `${which.toLowerCase()}${applied.size}`;
    const before = [...applied.keys()];
    await load(`${round}a`, PHASES_MS[0]);
    victim.child?.kill('SIGKILL');
    await load(`${round}b`, PHASES_MS[1]);
    await startServer(victim);
    await load(`${round}c`, PHASES_MS[2]);
    const lost = await settled();
    const took = [...applied.keys()]
      .filter((name) => !before.includes(name))
      .map((name) => (running.get(name) ?? Infinity) - (applied.get(name) ?? 0))
      .toSorted((a, b) => a - b);
    const kills = which === 'neither' ? 'a server that leads neither' : `the server that leads ${which}`;
    console.log(
      `kill -9 of ${kills} (${victim.name}; leaders ${JSON.stringify(leaders)}): ${took.length} workloads applied, ${lost.length} lost; applied to running p50 ${Math.round(took[Math.floor(took.length / 2)] ?? 0)} ms, longest ${Math.round(took.at(-1) ?? 0)} ms`,
    );
  }
} finally {
  agent?.kill('SIGKILL');
  for (const { child } of servers) child?.kill('SIGKILL');
  await under.end();
}
process.exit(0);

/** Three servers in place of the site's one, with the same users and the same leaf connection each. */
async function makeServers(): Promise<void> {
  const dir = cloud.paths.site(SITE);
  const ports = await Promise.all(Array.from({ length: 9 }, freePort));
  const site = JSON.parse(await readFile(join(dir, 'site.json'), 'utf8'));
  const agentKey = await readSeed(join(dir, 'agent.seed'));
  const at = (i: number, which: number) => ports[3 * i + which] ?? 0;
  const tls = (name: string) => join(dir, 'tls', name);
  for (let i = 0; i < 3; i++) {
    const name = `${SITE}-s${i + 1}`;
    const conf = join(dir, `${name}.conf`);
    const text = siteConfig({
      site: SITE,
      client: { host: '127.0.0.1', port: at(i, 0) },
      monitoring: { host: '127.0.0.1', port: at(i, 2) },
      jetstream: { storeDir: join(dir, `js-${name}`), maxMemoryBytes: 2 ** 26, maxFileBytes: 2 ** 31 },
      users: { agent: agentKey.publicKey },
      leaf: {
        urls: [`tls://127.0.0.1:${cloud.file.ports.leaf}`],
        credsFile: join(dir, 'leaf.creds'),
        tls: { certFile: tls('leaf.crt'), keyFile: tls('leaf.key'), caFile: tls('ca.crt') },
      },
      cluster: {
        server: name,
        listen: { host: '127.0.0.1', port: at(i, 1) },
        routes: [0, 1, 2].map((other) => `127.0.0.1:${at(other, 1)}`),
        password: 'of-this-measurement',
      },
    });
    await writeFile(conf, text, { mode: 0o600 });
    servers.push({ name, conf, child: undefined });
  }
  site.server = {
    host: '127.0.0.1',
    port: at(0, 0),
    others: [1, 2].map((i) => ({ host: '127.0.0.1', port: at(i, 0) })),
  };
  await writeFile(join(dir, 'site.json'), JSON.stringify(site));
}

async function startServer(server: Server): Promise<void> {
  const output = process.env['SITE_SERVER_LOG'] === undefined ? 'ignore' : 'inherit';
  server.child = spawn(await findNatsServer(), ['-c', server.conf], { stdio: ['ignore', output, output] });
}

/** Applies a workload every `EVERY_MS`. */
async function load(round: string, forMs: number): Promise<void> {
  const until = performance.now() + forMs;
  for (let i = 0; performance.now() < until; i++) {
    const name = `${round}-${i}`;
    const began = performance.now();
    const metadata = { name, project: 'bench' };
    const spec = {
      run: { driver: 'mock' },
      resources: { cpuMillicores: 1, memoryMiB: 1 },
      placement: { replicas: 1 },
    };
    await client.apply({ documents: [{ apiVersion: 'skerry/v1', kind: 'Workload', metadata, spec }] });
    applied.set(name, performance.now());
    await sleep(Math.max(0, EVERY_MS - (performance.now() - began)));
  }
}

/** Waits until everything that was applied runs; returns what does not within a minute. */
async function settled(): Promise<string[]> {
  const deadline = performance.now() + WAIT_MS;
  const missing = () => [...applied.keys()].filter((name) => !running.has(name));
  while (missing().length > 0 && performance.now() < deadline) await sleep(100);
  return missing();
}

/** The server that leads a stream of the site, asked at one that is up. */
async function leaderOf(stream: string): Promise<string> {
  const { connectBus } = await import('@skerry/bus');
  const dir = cloud.paths.site(SITE);
  const { server } = JSON.parse(await readFile(join(dir, 'site.json'), 'utf8'));
  const bus = await connectBus({
    servers: [server, ...server.others].map((s: { host: string; port: number }) => `${s.host}:${s.port}`),
    name: 'bench',
    nkeySeedFile: join(dir, 'agent.seed'),
    onAlarm: () => undefined,
  });
  const info: { cluster?: { leader?: string } } = JSON.parse(
    Buffer.from((await bus.request(`$JS.API.STREAM.INFO.${stream}`, {})).data).toString('utf8'),
  );
  await bus.close();
  return info.cluster?.leader ?? '';
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
