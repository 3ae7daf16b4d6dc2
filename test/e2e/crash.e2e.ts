import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import {
  BUCKETS,
  bucketStream,
  EPOCH_KEY,
  placementSchema,
  STREAMS,
  observedSchema,
  type Observed,
  type Placement,
} from '@skerry/contracts';
import { clientOf, SERVICES } from '@skerry/local';
import { eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { describeRecovery } from './recovery.suite.js';
import { replicasOf, untilPhase, untilPlannedElsewhere, whoAnswers } from './statuses.js';
import { httpService, mockService } from './workloads.js';

const APPLIES = 200;
const IN_FLIGHT = 8;

describe('processes that are killed', () => {
  let under: CloudUnderTest;
  let client: SkerryClient;
  beforeAll(async () => {
    under = await startCloud({ sites: [plainSite('one'), plainSite('two')] });
    client = await clientOf(under.cloud);
  }, 90_000);
  afterAll(() => under.end(), 60_000);

  it('loses nothing that was acknowledged and runs nothing twice while each service is killed in turn', async () => {
    const acknowledged: string[] = [];
    const victims = [...SERVICES];
    let next = 0;
    const killAt = Math.floor(APPLIES / (victims.length + 1));
    const worker = async () => {
      while (next < APPLIES) {
        const i = next++;
        const victim = i > 0 && i % killAt === 0 ? victims.shift() : undefined;
        if (victim !== undefined) kill(under, victim);
        const name = `k${i}`;
        await eventually(
          () => client.apply({ documents: [mockService(name)] }, { requestId: `crash-${name}-request` }),
          { withinMs: 60_000, what: `apply ${name}` },
        );
        acknowledged.push(name);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    expect(victims).toEqual([]);
    expect(acknowledged.length).toBe(APPLIES);
    await eventually(async () => ((await runningOnce(under)) >= APPLIES ? true : undefined), {
      withinMs: 60_000,
      what: 'everything runs',
      everyMs: 250,
    });
    const counts = await replicaCounts(under);
    for (const name of acknowledged) expect([name, counts.get(name)]).toEqual([name, 1]);
    const generations = await Promise.all(
      acknowledged.map(async (name) => (await client.workload('test', name)).workload.generation),
    );
    expect(new Set(generations)).toEqual(new Set([1]));
  }, 180_000);

  it('keeps replicas running with the same process ids when their agent is killed', async () => {
    await client.apply({ documents: [httpService('steady', { replicas: 2 })] });
    const before = replicasOf(await untilPhase(client, 'steady', ['running']));
    const known = await reportNumbers(under, 'steady');
    for (const site of under.cloud.siteNames) kill(under, `agent-${site}`);
    // Each agent that starts reports everything anew, as it has found it.
    await eventually(
      async () => {
        const numbers = await reportNumbers(under, 'steady');
        return [...known].every(([site, number]) => (numbers.get(site) ?? 0) > number) ? true : undefined;
      },
      { withinMs: 30_000, what: 'the next agents have reported' },
    );
    const after = replicasOf(await untilPhase(client, 'steady', ['running']));
    expect(new Set(after.map((r) => r.pid))).toEqual(new Set(before.map((r) => r.pid)));
    for (const replica of before) expect((await whoAnswers(replica.addresses['http'])).pid).toBe(replica.pid);
  }, 60_000);

  it('goes on when a leaf server is killed: replicas stay, and new work arrives once it is back', async () => {
    await client.apply({ documents: [httpService('leafy', { site: 'one' })] });
    const [before] = replicasOf(await untilPhase(client, 'leafy', ['running']));
    kill(under, 'leaf-one');
    await client.apply({ documents: [httpService('later', { site: 'one' })] });
    await untilPhase(client, 'later', ['running'], 40_000);
    const [after] = replicasOf(await untilPhase(client, 'leafy', ['running']));
    expect(after?.pid).toBe(before?.pid);
  }, 90_000);

  describeRecovery(() => ({ under, client }));

  it('leaves nothing of a site that was removed, and ends nothing before what replaces it is healthy', async () => {
    await client.apply({ documents: [httpService('mover', { replicas: 2 })] });
    await untilPhase(client, 'mover', ['running']);
    await client.cordon('one', true);
    await untilPlannedElsewhere(client, httpService('only'), 'one');
    await client.apply({ documents: [httpService('only')] });
    const [before] = replicasOf(await untilPhase(client, 'only', ['running']));
    await client.cordon('one', false);
    await client.removeSite('two');
    await eventually(async () => (isAlive(before?.pid) ? undefined : true), {
      withinMs: 60_000,
      what: 'the replica that had to go has ended',
      everyMs: 20,
    });
    // It ended because another was healthy: that one answers by now.
    const now = (await reported(under, 'one', 'only'))?.replicas ?? [];
    const answering = await Promise.all(
      now.filter((r) => r.phase === 'running').map((r) => whoAnswers(r.addresses['http'])),
    );
    expect(answering.map((a) => a.site)).toEqual(['one']);
    await eventually(() => (existsSync(under.cloud.paths.site('two')) ? undefined : true), {
      withinMs: 40_000,
      what: 'the folder of the site is gone',
    });
    expect(under.cloud.supervisor.names().filter((n) => n.endsWith('-two'))).toEqual([]);
    const moved = await untilPhase(client, 'mover', ['running']);
    expect(moved.sites.map((s) => s.site)).toEqual(['one']);
  }, 90_000);

  it('commits nothing by a scheduler that was frozen past its lease', async () => {
    await under.cloud.startService('scheduler', 1);
    await under.cloud.ready(['scheduler-2']);
    const epochBefore = await epoch(under);
    const frozen = under.cloud.supervisor.pid('scheduler');
    if (frozen === undefined) throw new Error('no scheduler');
    process.kill(frozen, 'SIGSTOP');
    try {
      const names = Array.from({ length: 5 }, (_, i) => `frozen${i}`);
      await Promise.all(names.map((n) => client.apply({ documents: [mockService(n)] })));
      await eventually(async () => ((await epoch(under)) > epochBefore ? true : undefined), {
        withinMs: 20_000,
        what: 'a new leader',
      });
      for (const name of names) await untilPhase(client, name, ['running'], 20_000);
      process.kill(frozen, 'SIGCONT');
      await client.apply({ documents: [mockService('thawed')] });
      await untilPhase(client, 'thawed', ['running']);
      // It wrote by the epoch of before. There may be several since: on a busy machine the lease changes hands again.
      for (const name of [...names, 'thawed'])
        expect((await placementOf(under, name)).epoch).toBeGreaterThan(epochBefore);
    } finally {
      process.kill(frozen, 'SIGCONT');
    }
  }, 90_000);
});

function kill(under: CloudUnderTest, name: string): void {
  const pid = under.cloud.supervisor.pid(name);
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
}

/** Replicas reported running by workload, over both sites. */
async function replicaCounts(under: CloudUnderTest): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const following = await under.admin.follow(STREAMS.OBSERVED.name, (m) => {
    const parsed = observedSchema.safeParse(m.json());
    if (!parsed.success || !parsed.data.name.startsWith('k')) return;
    const running = parsed.data.replicas.filter((r) => r.phase === 'running').length;
    counts.set(parsed.data.name, (counts.get(parsed.data.name) ?? 0) + running);
  });
  await following.caughtUp;
  await following.drain();
  return counts;
}

/** The number of the newest report of a workload, by site. */
async function reportNumbers(under: CloudUnderTest, name: string): Promise<Map<string, number>> {
  const numbers = new Map<string, number>();
  const following = await under.admin.follow(
    STREAMS.OBSERVED.name,
    (m) => {
      const { site, report } = observedSchema.parse(m.json());
      numbers.set(site, report);
    },
    { filters: [`observed.*.workload.test.${name}`] },
  );
  await following.caughtUp;
  await following.drain();
  return numbers;
}

/** What a site reported last of a workload, as the hub has it. */
async function reported(under: CloudUnderTest, site: string, name: string): Promise<Observed | undefined> {
  let newest: Observed | undefined;
  const following = await under.admin.follow(
    STREAMS.OBSERVED.name,
    (m) => void (newest = observedSchema.parse(m.json())),
    { filters: [`observed.${site}.workload.test.${name}`] },
  );
  await following.caughtUp;
  await following.drain();
  return newest;
}

async function runningOnce(under: CloudUnderTest): Promise<number> {
  return [...(await replicaCounts(under)).values()].filter((n) => n === 1).length;
}

async function epoch(under: CloudUnderTest): Promise<number> {
  let sequence = 0;
  const following = await under.admin.follow(
    bucketStream(BUCKETS.placements.name),
    (m) => void (sequence = m.sequence),
    { filters: [`$KV.placements.${EPOCH_KEY}`] },
  );
  await following.caughtUp;
  await following.drain();
  return sequence;
}

async function placementOf(under: CloudUnderTest, name: string): Promise<Placement> {
  const entry = await under.admin
    .bucket(BUCKETS.placements, (v) => placementSchema.parse(v))
    .get(`test.${name}`);
  if (entry === undefined) throw new Error(`no placement of ${name}`);
  return entry.value;
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) throw new Error('it had no process');
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
