import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Replica } from '@skerry/contracts';
import { SERVICES } from '@skerry/local';
import { z } from 'zod';
import { eventually } from './cloud-under-test.js';
import { clientOfHome, isAlive, LocalRunner, processesOf, UP } from './local-runner.js';
import { runSkerryOf } from './skerry-command.js';
import { replicasOf, untilPhase, whoAnswers } from './statuses.js';
import { httpService } from './workloads.js';

const SITES = ['edge', 'eu-de', 'jp-tok', 'us-east'];
/** Hub, services, and a leaf server and an agent a site. */
const PROCESSES = 1 + SERVICES.length + 2 * SITES.length;
const QUICK = 20_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skerry-start-'));
});
afterAll(async () => {
  for (const { pid } of await processesOf(folder)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

describe('npm start, asked for what cannot be', () => {
  const refused = async (home: string, args: string[] = [], env: Record<string, string> = {}) => {
    const runner = await LocalRunner.start(home, args, env);
    const code = await runner.ended(QUICK);
    expect(code).toBeGreaterThan(0);
    expect(await processesOf(home)).toEqual([]);
    return { code, output: runner.output };
  };

  it('refuses an option it does not know and says where they are listed', async () => {
    const { code, output } = await refused(join(folder, 'none'), ['--frobnicate']);
    expect(code).toBe(2);
    expect(output).toMatch(/'--frobnicate'.*npm start -- --help/);
    expect(output.trim().split('\n').length).toBe(1);
  });

  it('refuses an option that npm took for its own, and says how to write it', async () => {
    const { code, output } = await refused(join(folder, 'none'), [], { npm_config_wan: 'true' });
    expect(code).toBe(2);
    expect(output).toMatch('npm took --wan for an option of its own: write `npm start -- --wan`');
  });

  it('refuses a nats-server that is too old and names the ways to mend it', async () => {
    const old = join(folder, 'old-nats-server');
    await writeFile(old, '#!/bin/sh\necho "nats-server: v2.9.25"\n');
    await chmod(old, 0o700);
    const { output } = await refused(join(folder, 'none'), [], { NATS_SERVER: old });
    expect(output).toMatch(/NATS_SERVER=\S+old-nats-server is 2\.9\.25, too old/);
    expect(output).toMatch(/1\. .*2\. .*3\. /s);
  });

  it.each(['203.0.113.7', 'somewhere'])('refuses to listen on %s, which it has not', async (address) => {
    const home = join(folder, 'unheard');
    const { output } = await refused(home, ['--listen', address]);
    expect(output).toMatch(`this machine has no address ${address}`);
    await expect(readFile(join(home, 'cloud.json'))).rejects.toThrow('ENOENT');
  });

  it.each([
    ['cut off', '{"format": 1, "createdAt"', /is damaged \(it is no JSON\)/],
    ['without its ports', '{"format": 1}', /is damaged \(.*ports: missing/],
    ['of another format', '{"format": 7}', /is damaged \(.*format/],
  ])('refuses a cloud.json that is %s, naming it and what to do', async (_, text, problem) => {
    const home = join(folder, 'damaged');
    await mkdir(home, { recursive: true });
    await writeFile(join(home, 'cloud.json'), text);
    const { output } = await refused(home);
    expect(output).toMatch(problem);
    expect(output).toMatch(/cloud\.json is damaged .*put back a copy .* or remove the folder/);
    expect(await readFile(join(home, 'cloud.json'), 'utf8')).toBe(text);
  });
});

describe('npm start, when a process cannot be started', () => {
  it.each([
    [
      'a service whose settings are wrong',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'nonsense' },
      /failed: \w+ did not become ready: it ended while it was started \(exit code 78\)/,
      /OTEL_EXPORTER_OTLP_ENDPOINT: not allowed: a URL/,
    ],
    [
      'a hub that keeps ending',
      {},
      /failed: hub did not become ready: it ended 4 times while it was started \(exit code 1\)/,
      /\[FTL\] .*storage directory is not a directory/,
    ],
  ])(
    'says so early with the end of the log of %s',
    async (_, env, problem, why) => {
      const home = await mkdtemp(join(folder, 'broken-'));
      await mkdir(join(home, 'hub'));
      if (!('OTEL_EXPORTER_OTLP_ENDPOINT' in env)) await writeFile(join(home, 'hub', 'jetstream'), 'a file');
      const runner = await LocalRunner.start(home, ['--no-examples'], env);
      expect(await runner.ended(40_000)).toBe(1);
      expect(runner.output).toMatch(problem);
      expect(runner.output).toMatch(why);
      expect(await processesOf(home)).toEqual([]);
    },
    45_000,
  );
});

describe('npm start', () => {
  let home: string;
  let runner: LocalRunner | undefined;
  let holder: Server | undefined;
  beforeAll(() => {
    home = join(folder, 'home');
  });
  afterEach(() => {
    holder?.close();
  });
  afterAll(async () => {
    runner?.signal('SIGINT');
    await runner?.ended();
  }, 40_000);

  const start = async () => {
    runner = await LocalRunner.start(home, ['--no-examples']);
    return runner;
  };

  it('leaves no process behind when it is interrupted in the middle', async () => {
    let code = 0;
    // Where it is all up before this looks again, it ends with 0, and is started once more.
    for (let tries = 0; code === 0 && tries < 3; tries += 1) {
      const interrupted = await start();
      await interrupted.said(/starting 6 services/, QUICK);
      await eventually(async () => ((await processesOf(home)).length >= PROCESSES ? true : undefined), {
        withinMs: QUICK,
        what: 'processes started',
      });
      interrupted.signal('SIGINT');
      code = await interrupted.ended();
      expect(interrupted.output).toMatch(code === 0 ? UP : /nothing is left running/);
      expect(await processesOf(home)).toEqual([]);
    }
    expect(code).toBe(130);
  }, 120_000);

  it('names the port that another program holds, and starts nothing', async () => {
    const port = await apiPortOf(home);
    holder = createServer();
    await new Promise<void>((listening) => holder?.listen(port, '127.0.0.1', listening));
    const refused = await start();
    expect(await refused.ended(QUICK)).toBe(1);
    expect(refused.output).toMatch(`port ${port} (api) is taken by another program`);
    expect(refused.output).not.toMatch(/starting the hub/);
    expect(await processesOf(home)).toEqual([]);
  }, 30_000);

  let known: Replica;

  it('refuses a second start in the folder of a running cloud, and does not touch that one', async () => {
    const first = await start();
    await first.up();
    const client = await clientOfHome(home);
    await client.apply({ documents: [httpService('steady', { site: 'edge' })] });
    known = only(replicasOf(await untilPhase(client, 'steady', ['running'])));
    const before = await pidsOf(home);
    const second = await LocalRunner.start(home);
    expect(await second.ended(QUICK)).toBe(1);
    expect(second.output).toMatch(`a cloud runs from ${home} already (process ${first.pid})`);
    expect(await pidsOf(home)).toEqual(before);
    expect((await whoAnswers(known.addresses['http'])).pid).toBe(known.pid);
  }, 90_000);

  it('resumes the same cloud after its runner was killed: the same replicas, nothing twice', async () => {
    runner?.signal('SIGKILL');
    await runner?.ended();
    expect(isAlive(known.pid ?? 0)).toBe(true);
    const next = await start();
    await next.up();
    expect(next.output).toMatch(/processes that an earlier run left behind/);
    const client = await clientOfHome(home);
    const after = only(replicasOf(await untilPhase(client, 'steady', ['running'])));
    expect([after.id, after.pid]).toEqual([known.id, known.pid]);
    expect((await client.workload('test', 'steady')).workload.generation).toBe(1);
    expect(await kindsOf(home)).toEqual(EVERYTHING);
  }, 90_000);

  it('ends everything at Ctrl-C, replicas too', async () => {
    runner?.signal('SIGINT');
    expect(await runner?.ended()).toBe(0);
    expect(await processesOf(home)).toEqual([]);
    expect(isAlive(known.pid ?? 0)).toBe(false);
  }, 60_000);

  it('brings the same workloads up again by itself', async () => {
    const again = await start();
    await again.up();
    const client = await clientOfHome(home);
    let reported: Replica | undefined;
    const answering = await eventually(
      async () => {
        reported = only(replicasOf(await untilPhase(client, 'steady', ['running'])));
        const { pid } = await whoAnswers(reported.addresses['http']);
        // On a busy machine the hub may have heard only now that the one of before was stopped.
        return pid === reported.pid ? pid : undefined;
      },
      { withinMs: QUICK, what: () => `the replica that is reported answers: ${JSON.stringify(reported)}` },
    );
    expect(answering).not.toBe(known.pid);
    again.signal('SIGTERM');
    expect(await again.ended()).toBe(0);
    expect(await processesOf(home)).toEqual([]);
  }, 90_000);
});

describe('npm start with the examples', () => {
  it('places them where they belong, lets the command line find the cloud, and undoes nothing at the next start', async () => {
    const home = join(folder, 'examples');
    const first = await LocalRunner.start(home);
    await first.up();
    expect(first.output).toMatch(/^demo\/hello +running +jp-tok /m);
    expect(first.output).toMatch(/^demo\/ledger +running +eu-de /m);
    expect(first.output).toMatch(/^demo\/census +(running|completed) /m);
    expect(first.output).toMatch(`export SKERRY_HOME=${home}`);
    for (const args of [
      ['scale', 'demo/hello', '3'],
      ['rm', 'demo/census'],
    ])
      expect(await runSkerryOf(home, args)).toMatchObject({ code: 0, stderr: '' });
    first.signal('SIGINT');
    expect(await first.ended()).toBe(0);
    const second = await LocalRunner.start(home);
    await second.up();
    expect(second.output).not.toMatch(/census/);
    expect(second.output.match(/^demo\/hello +running /gm)).toHaveLength(3);
    second.signal('SIGINT');
    expect(await second.ended()).toBe(0);
  }, 120_000);
});

function only(replicas: Replica[]): Replica {
  const [first, ...more] = replicas;
  if (first === undefined || more.length > 0) throw new Error(`${replicas.length} replicas, not one`);
  return first;
}

async function apiPortOf(home: string): Promise<number> {
  const schema = z.object({ ports: z.object({ api: z.number() }) });
  return schema.parse(JSON.parse(await readFile(join(home, 'cloud.json'), 'utf8'))).ports.api;
}

async function pidsOf(home: string): Promise<number[]> {
  return (await processesOf(home)).map((p) => p.pid).toSorted((a, b) => a - b);
}

/** How many there are of each kind of process. */
async function kindsOf(home: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { argv } of await processesOf(home)) {
    const kind = kindOf(argv, home);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function kindOf(argv: string[], home: string): string {
  const text = argv.join(' ').replaceAll(home, '');
  const app = /apps\/(\w+)\/dist/.exec(text)?.[1];
  if (app !== undefined) return `${app}${/ --dir \/sites(\/\S+)/.exec(text)?.[1] ?? ''}`;
  if (/deploy\/local\/dist/.test(text)) return 'runner';
  if (text.includes('skerry-replica')) return 'keeper';
  return / -c (\S+)\.conf/.exec(text)?.[1] ?? text.trim();
}

/** One of each, and the one replica with its keeper. */
const EVERYTHING = Object.fromEntries(
  [
    'runner',
    '/hub/nats',
    ...SERVICES,
    ...SITES.flatMap((site) => [`/sites/${site}/leaf`, `agent/${site}`]),
    'keeper',
    `${process.execPath} server.mjs`,
  ].map((kind) => [kind, 1]),
);
