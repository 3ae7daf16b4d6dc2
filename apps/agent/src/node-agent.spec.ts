import { existsSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { SITE_BUCKETS, type Replica } from '@skerry/contracts';
import { leaseOf } from '@skerry/domain';
import { HubSilence } from './hub-silence.js';
import { NodeAgent } from './node-agent.js';
import { alive, assignment, eventually, QUIET, SiteUnderTest, tombstone } from './site-under-test.suite.js';

describe('an agent without a server', () => {
  let site: SiteUnderTest;
  let agent: NodeAgent;
  const replicas = (name: string): Replica[] => agent.supervisor.report(`shop.${name}`)?.replicas ?? [];
  const phases = (name: string) => replicas(name).map((r) => r.phase);
  const running = async (name: string) =>
    await eventually(
      `${name} runs`,
      () => phases(name).length > 0 && phases(name).every((p) => p === 'running'),
    );

  beforeEach(async () => {
    site = await SiteUnderTest.make({ allocatable: { cpuMillicores: 1_000, memoryMiB: 1_000, diskMiB: 0 } });
    agent = await NodeAgent.start(site.dir, { log: QUIET });
  });
  afterEach(async () => {
    await agent.stopReplicas({ forget: true });
    await agent.close();
    await site.close();
  });

  it('rests what shall not run without the hub for so long, and nothing else, until the hub is heard', async () => {
    // Counted from when this agent began: all three have to run by then.
    await agent.take({ ...assignment('soon', { orphan: 'stop' }), orphanStopAfterMs: 4_000 });
    await agent.take(assignment('later', { orphan: 'stop' }));
    await agent.take(assignment('keeper', { orphan: 'keep' }));
    for (const name of ['soon', 'later', 'keeper']) await running(name);
    const [before] = replicas('soon');
    await eventually('it rests', () => phases('soon')[0] === 'backoff');
    expect(alive(before?.pid ?? 0)).toBe(false);
    expect([phases('later'), phases('keeper')]).toEqual([['running'], ['running']]);
    agent.hubAnswered(performance.now() + 60_000);
    await running('soon');
    expect(replicas('keeper')[0]?.restarts).toBe(0);
  });

  it('lets an owner run only under a lease that knows of no more losses than its assignment', async () => {
    await agent.take(assignment('lead', { type: 'singleton', orphan: 'stop', epoch: 1 }));
    await eventually('it is taken', () => agent.supervisor.report('shop.lead'));
    agent.hubAnswered(performance.now());
    expect(replicas('lead')).toEqual([]);
    agent.hubAnswered(performance.now(), { sentAtMs: performance.now(), losses: 0 });
    await running('lead');
    // The site was declared lost and is heard again: somebody else may own it by now.
    agent.hubAnswered(performance.now(), { sentAtMs: performance.now(), losses: 1 });
    await eventually('it rests', () => phases('lead')[0] === 'backoff');
    const again = { type: 'singleton', orphan: 'stop', epoch: 1, losses: 1 } as const;
    await agent.take(assignment('lead', { ...again, version: { revision: 2 } }));
    await running('lead');
  });

  it('stops an owner while there is time for it to end before its lease is over', async () => {
    await agent.take(assignment('lead', { type: 'singleton', orphan: 'stop', epoch: 1 }));
    const now = performance.now();
    const sentAtMs = now - leaseOf(0).stopAtMs + 4_000;
    agent.hubAnswered(now, { sentAtMs, losses: 0 });
    await running('lead');
    await eventually('it rests', () => phases('lead')[0] === 'backoff');
    expect(performance.now()).toBeGreaterThanOrEqual(leaseOf(sentAtMs).stopAtMs);
    expect(performance.now()).toBeLessThan(leaseOf(sentAtMs).untilMs);
  });

  it('never begins an owner whose lease ran out while the agent stood still in the middle of its start', async () => {
    const command = ['/bin/sh', '-c', 'echo >>began; exec sleep 1000'];
    await agent.take(assignment('lead', { type: 'singleton', orphan: 'stop', epoch: 1, run: { command } }));
    const began = join(agent.places.work, 'shop.lead.s1.0', 'cwd', 'began');
    const nearlyOver = () => {
      const now = performance.now();
      agent.hubAnswered(now, { sentAtMs: now - leaseOf(0).stopAtMs + 500, losses: 0 });
    };
    while (phases('lead')[0] !== 'starting') {
      nearlyOver();
      await new Promise(setImmediate);
    }
    standStill(600);
    await eventually('it was held back', () => phases('lead')[0] === 'backoff');
    expect(existsSync(began)).toBe(false);
    agent.hubAnswered(performance.now(), { sentAtMs: performance.now(), losses: 0 });
    await running('lead');
    await eventually('it began', () => existsSync(began));
  });

  it('goes on with an owner under the lease that the agent before it had', async () => {
    await agent.take(assignment('lead', { type: 'singleton', orphan: 'stop', epoch: 1 }));
    agent.hubAnswered(performance.now(), { sentAtMs: performance.now(), losses: 0 });
    await running('lead');
    const [before] = replicas('lead');
    await eventually('the lease is written down', () => existsSync(agent.places.lease));
    await agent.close();
    agent = await NodeAgent.start(site.dir, { log: QUIET });
    await running('lead');
    expect(replicas('lead')).toMatchObject([{ pid: before?.pid, restarts: 0 }]);
  });

  it('goes on with what ran while a newer version does not fit, over its own restart too', async () => {
    const cpu = (cpuMillicores: number) => ({ resources: { cpuMillicores, memoryMiB: 0 } });
    await agent.take(assignment('web', cpu(600)));
    await running('web');
    const [before] = replicas('web');
    await agent.take(assignment('web', { ...cpu(2_000), version: { generation: 2 } }));
    const refused = await eventually('refused', () => {
      const report = agent.supervisor.report('shop.web');
      return report?.state === 'refused' ? report : undefined;
    });
    expect(refused).toMatchObject({
      version: { generation: 2 },
      refusal: { check: 'capacity', needs: '2000m' },
    });
    await agent.store.settled();
    await agent.close();
    agent = await NodeAgent.start(site.dir, { log: QUIET });
    await running('web').catch(() => undefined);
    expect(replicas('web').map((r) => r.pid)).toEqual([before?.pid]);
    process.kill(before?.pid ?? 0, 'SIGKILL');
    await eventually(
      'it is started again',
      () => phases('web')[0] === 'running' && replicas('web')[0]?.restarts === 1,
    );
  });

  it('ends what is removed at its site of several nodes though the disk does not take that, and takes it later', async () => {
    await agent.take(assignment('web'));
    await running('web');
    const [before] = replicas('web');
    await agent.close();
    await writeFile(agent.places.members, JSON.stringify({ several: true, members: {} }));
    agent = await NodeAgent.start(site.dir, { log: { ...QUIET, error: () => undefined } });
    await running('web');
    // What is written before it takes its place cannot be.
    const full = join(agent.places.desired, 'shop.web.json.new');
    await mkdir(full);
    const removal = tombstone('web', { generation: 2 });
    if (removal.kind !== 'Tombstone') throw new Error('not a removal');
    const { project, name, version } = removal;
    const gone = { kind: 'Allotment' as const, project, name, version, slots: [], epoch: 1 };
    agent.book.take({ ...gone, tombstone: removal }, 1);
    await eventually('it was ended', () => !alive(before?.pid ?? 0));
    expect(agent.store.get('shop.web')?.object.kind).toBe('Assignment');
    await rmdir(full);
    await eventually('it is taken', () => agent.store.get('shop.web')?.object.kind === 'Tombstone', 10_000);
  }, 20_000);

  it('tells its site’s controller what it runs though its disk is full', async () => {
    await agent.take(assignment('web'));
    await running('web');
    await agent.close();
    await writeFile(agent.places.members, JSON.stringify({ several: true, members: {} }));
    agent = await NodeAgent.start(site.dir, { log: QUIET });
    await mkdir(`${agent.places.counter}.new`);
    // Another controls the site, whose numbers begin above all that were reserved here.
    await expect(agent.counter.raise(2 ** 40 + Date.now())).rejects.toThrow('EISDIR');
    const bus = new MemoryBus(new MemoryServer());
    await bus.ensureBucket(SITE_BUCKETS.seen);
    agent.reporter.use(bus, agent.supervisor.keys());
    await eventually('it is reported', () => agent.reporter.idle && agent.reporter.lastSequence > 0);
    await bus.close();
  });

  it('takes nothing that is meant for another site', async () => {
    await agent.take({ ...assignment('web'), site: 's2' });
    expect(agent.store.size).toBe(0);
  });

  it('stops at once what is removed while it is still starting', async () => {
    await agent.take(
      assignment('web', { replicas: 5, run: { driver: 'mock', env: { MOCK_START_MS: '300' } } }),
    );
    await eventually('starting', () => phases('web').includes('starting'));
    await agent.take(tombstone('web'));
    const gone = await eventually('gone', () => {
      const report = agent.supervisor.report('shop.web');
      return report?.state === 'absent' ? report : undefined;
    });
    expect(gone.replicas).toEqual([]);
  });
});

/** As a process that was stopped: no timer, no message, for so long. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('silence of the hub', () => {
  it('counts from the start on, and is over with the first word', async () => {
    const silence = await HubSilence.open();
    let looks = 0;
    silence.start(() => {
      looks += 1;
    });
    try {
      await eventually('it is looked at', () => looks > 0);
      expect(silence.silentMs).toBeGreaterThan(100);
      silence.heard();
      expect(silence.silentMs).toBeLessThan(100);
      expect(silence.covers(0)).toBe(false);
    } finally {
      silence.stop();
    }
  });

  it('says once that the site is back after each loss', async () => {
    const silence = await HubSilence.open();
    let returns = 0;
    silence.start(
      () => undefined,
      () => {
        returns += 1;
      },
    );
    silence.stop();
    for (const losses of [0, 0, 1, 1, 3])
      silence.heard(performance.now(), { sentAtMs: performance.now(), losses });
    expect([returns, silence.losses]).toEqual([2, 3]);
  });
});
