import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { clientOf } from '@skerry/local';
import { allReady, eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { runSkerry } from './skerry-command.js';
import { replicasOf, untilPhase, untilPlannedElsewhere } from './statuses.js';

const NORTH = { lat: 60, lon: 10 };
const SOUTH = { lat: -35, lon: 20 };
const MODEL = 'NVIDIA-A100';

interface Asked {
  type?: string;
  command?: string[];
  env?: Record<string, string>;
  resources?: object;
  placement?: object;
}

function workload(
  name: string,
  { type = 'service', command, env = {}, resources, placement = {} }: Asked,
): object {
  const run = command ? { command, env, stop: { graceMs: 2_000 } } : { driver: 'mock' };
  return {
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: 'test' },
    spec: { type, run, resources: { cpuMillicores: 10, memoryMiB: 16, ...resources }, placement },
  };
}

describe('types of workloads, on real processes', () => {
  let under: CloudUnderTest;
  let client: SkerryClient;
  beforeAll(async () => {
    under = await startCloud({
      sites: [plainSite('north', { location: NORTH }), plainSite('south', { location: SOUTH })],
      env: {
        SKERRY_AGENT_GPUS: `${MODEL}=2`,
        SKERRY_REBALANCE_EVERY_MS: '1000',
        SKERRY_REBALANCE_PERCENT: '100',
      },
    });
    client = await clientOf(under.cloud);
    await allReady(under);
  }, 90_000);
  afterAll(() => under?.end(), 60_000);

  const sitesOf = async (name: string) =>
    (await client.workload('test', name)).placement?.shares.map(({ site }) => site).toSorted() ?? [];

  it('a daemon runs once at every site', async () => {
    await client.apply({ documents: [workload('everywhere', { type: 'daemon' })] });
    const status = await untilPhase(client, 'everywhere', ['running']);
    expect(status.sites.map(({ site, running }) => `${site} ${running}`).toSorted()).toEqual([
      'north 1',
      'south 1',
    ]);
    await client.remove('test', 'everywhere');
  });

  it('a replica sees the GPUs that it was given and no others, a whole one or shares of one', async () => {
    const file = join(under.cloud.paths.home, 'gpus.txt');
    writeFileSync(file, '');
    const command = [process.execPath, '-e', SAYS_ITS_GPUS];
    const asked = (name: string, gpu: object, replicas: number) =>
      workload(name, {
        command,
        env: { FILE: file, NAME: name },
        resources: { gpu: { ...gpu, models: [MODEL] } },
        placement: { replicas, sites: { required: { name: 'north' } } },
      });
    await client.apply({
      documents: [asked('whole', { count: 1 }, 1), asked('shared', { shareMilli: 500 }, 2)],
    });
    await untilPhase(client, 'whole', ['running']);
    await untilPhase(client, 'shared', ['running']);
    const lines = await eventually(
      () => {
        const found = readFileSync(file, 'utf8').trim().split('\n').toSorted();
        return found.length === 3 ? found : undefined;
      },
      { withinMs: 10_000, what: 'three replicas that say what they see' },
    );
    const [first, second, whole] = lines.map((line) => line.split(' '));
    expect(first).toEqual(second);
    expect([first?.[0], first?.[2], whole?.[0], whole?.[2]]).toEqual(['shared', '500', 'whole', '-']);
    expect(new Set([first?.[1], whole?.[1]])).toEqual(new Set(['0', '1']));
    await client.apply({ documents: [asked('too-much', { count: 1 }, 1)] });
    const stuck = await untilPhase(client, 'too-much', ['unplaceable']);
    expect(stuck.reasons.join(' ')).toMatch(/capacity/);
    for (const name of ['whole', 'shared', 'too-much']) await client.remove('test', name);
  });

  it('a singleton ends where it was before it begins elsewhere', async () => {
    const file = join(under.cloud.paths.home, 'singleton.txt');
    writeFileSync(file, '');
    await client.apply({
      documents: [
        workload('one', {
          type: 'singleton',
          command: [process.execPath, '-e', SAYS_ITS_LIFE],
          env: { FILE: file },
          placement: { users: [{ ...NORTH }] },
        }),
      ],
    });
    const before = await untilPhase(client, 'one', ['running']);
    expect(await sitesOf('one')).toEqual(['north']);
    const lines = () => readFileSync(file, 'utf8').trim().split('\n');
    await eventually(() => (lines().at(-1)?.startsWith('begins at north') ? true : undefined), {
      withinMs: 15_000,
      what: 'the singleton running at north',
    });
    appendFileSync(file, 'drain\n');
    await client.drain('north', { kind: 'drain' });
    await eventually(async () => ((await sitesOf('one')).join() === 'south' ? true : undefined), {
      withinMs: 20_000,
      what: 'the singleton placed at south',
    });
    await eventually(() => (lines().at(-1)?.startsWith('begins at south') ? true : undefined), {
      withinMs: 15_000,
      what: () => `the singleton running at south: ${lines().join('; ')}`,
    });
    await client.recall('north');
    const [begin = '', , end = '', again = ''] = lines();
    expect(lines().map((line) => line.replace(/ epoch .*/, ''))).toEqual([
      'begins at north',
      'drain',
      'ends at north',
      'begins at south',
    ]);
    const epochOf = (line: string) => Number(line.split(' epoch ')[1]);
    expect(epochOf(again)).toBeGreaterThan(epochOf(begin));
    expect(epochOf(end)).toBe(epochOf(begin));
    expect(replicasOf(before).length).toBe(1);
    await client.remove('test', 'one');
  });

  it('the only node of a site gives away what it runs once that runs elsewhere, and goes with its site alone', async () => {
    await client.apply({
      documents: [workload('stays', { placement: { users: [{ ...NORTH }], replicas: 1 } })],
    });
    await untilPhase(client, 'stays', ['running']);
    expect(await sitesOf('stays')).toEqual(['north']);
    const northern = async () => (await client.nodes()).find(({ site }) => site === 'north');
    const name = `north/${(await northern())?.node}`;
    const running: number[] = [];
    const look = setInterval(() => {
      client.workload('test', 'stays').then(
        ({ status }) => running.push(status?.running ?? 0),
        () => undefined,
      );
    }, 100);
    const drained = await runSkerry(under, ['node', 'drain', name, '--wait', '30']);
    clearInterval(look);
    expect(drained).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing runs at') });
    expect(await sitesOf('stays')).toEqual(['south']);
    expect(Math.min(...running)).toBe(1);
    expect((await northern())?.phase).toBe('draining');
    const refused = await runSkerry(under, ['node', 'rm', name]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('skerry site rm north') });
    await runSkerry(under, ['node', 'uncordon', name]);
    // Where its users are it goes back by itself.
    await eventually(async () => ((await sitesOf('stays')).join() === 'north' ? true : undefined), {
      withinMs: 20_000,
      what: 'back at north',
    });
    await client.remove('test', 'stays');
  });

  it('what would be better elsewhere is moved there by itself, when the scheduler is told to rebalance', async () => {
    await client.cordon('south', true);
    const wanders = workload('wanders', { placement: { users: [{ ...SOUTH }], replicas: 1 } });
    await untilPlannedElsewhere(client, wanders, 'south');
    await client.apply({ documents: [wanders] });
    await untilPhase(client, 'wanders', ['running']);
    expect(await sitesOf('wanders')).toEqual(['north']);
    await client.cordon('south', false);
    await eventually(async () => ((await sitesOf('wanders')).join() === 'south' ? true : undefined), {
      withinMs: 20_000,
      what: 'moved to where its users are',
    });
  });
});

const SAYS_ITS_GPUS = `
const { CUDA_VISIBLE_DEVICES: seen, SKERRY_GPU_SHARE_MILLI: share = '-', FILE, NAME } = process.env;
require('node:fs').appendFileSync(FILE, NAME + ' ' + seen + ' ' + share + '\\n');
setInterval(() => undefined, 1000);
`;

const SAYS_ITS_LIFE = `
const { FILE, SKERRY_SITE, SKERRY_EPOCH } = process.env;
const say = (what) => require('node:fs').appendFileSync(FILE, what + ' at ' + SKERRY_SITE + ' epoch ' + SKERRY_EPOCH + '\\n');
process.on('SIGTERM', () => { say('ends'); process.exit(0); });
say('begins');
setInterval(() => undefined, 1000);
`;
