import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NodePhase, NodeRule, SiteStanding } from '@skerry/contracts';
import { HubStandIn } from './hub-stand-in.suite.js';
import {
  alive,
  assignment,
  end,
  eventually,
  fastest,
  SiteUnderTest,
  tombstone,
} from './site-under-test.suite.js';

describe('an agent at its site', () => {
  let site: SiteUnderTest;
  let hub: HubStandIn;

  beforeEach(async () => {
    site = await SiteUnderTest.make();
    await site.startServer();
    hub = await HubStandIn.at(site);
  });
  afterEach(async () => {
    await hub.bus.close();
    await site.close();
  });

  it('runs what is wanted and reports it, then removes it and reports that nothing is left', async () => {
    await site.startAgent();
    hub.want(
      assignment('web', { replicas: 2 }),
      assignment('pretend', { replicas: 3, run: { driver: 'mock' } }),
    );
    const web = await hub.running('web', 2);
    await hub.running('pretend', 3);
    const pids = web.replicas.map((r) => r.pid ?? 0);
    expect(pids.every(alive)).toBe(true);
    hub.want(tombstone('web'), tombstone('pretend'));
    await hub.seen('web', (o) => o.state === 'absent');
    await hub.seen('pretend', (o) => o.state === 'absent');
    expect(pids.some(alive)).toBe(false);
    expect(await site.records()).toEqual([]);
  });

  it('says of itself and of its site that its only node is to be emptied, and goes on with what runs', async () => {
    await site.startAgent();
    hub.want(assignment('pretend', { run: { driver: 'mock' } }));
    await hub.running('pretend');
    const rules = (generation: number, nodes: Record<string, NodeRule>) =>
      hub.want({ kind: 'NodeRules', site: 's1', generation, nodes });
    const told = async (standing: SiteStanding | undefined, phase: NodePhase | undefined) =>
      await eventually(`${standing}`, () => {
        const { beat } = hub.beats.at(-1) ?? {};
        return beat !== undefined && beat.standing === standing && hub.nodes.get('n1')?.phase === phase;
      });
    await told(undefined, undefined);
    rules(1, { n1: 'draining' });
    await told('draining', 'draining');
    // What runs goes when the hub takes it away, which it does once it runs elsewhere.
    expect(hub.beats.at(-1)?.beat.capacity.shapes).toHaveLength(1);
    expect(hub.newest('pretend')?.replicas.map((r) => r.phase)).toEqual(['running']);
    rules(2, {});
    await told(undefined, undefined);
  });

  it('finds its replicas again after it was killed: none stopped, none doubled', async () => {
    const first = await site.startAgent();
    hub.want(
      assignment('web', { replicas: 3 }),
      assignment('pretend', { replicas: 2, run: { driver: 'mock' } }),
    );
    const before = (await hub.running('web', 3)).replicas.map((r) => r.pid);
    const since = (await hub.running('pretend', 2)).replicas.map((r) => r.since);
    await eventually('pretended replicas on the disk', async () =>
      (await readFile(join(site.dir, 'state', 'mock-replicas.json'), 'utf8').catch(() => '')).includes(
        'running',
      ),
    );
    await end(first, 'SIGKILL');
    hub.reports.length = 0;
    await site.startAgent();
    const after = await hub.running('web', 3);
    expect(after.replicas.map((r) => r.pid)).toEqual(before);
    expect(after.replicas.every((r) => r.restarts === 0)).toBe(true);
    expect((await hub.running('pretend', 2)).replicas.map((r) => r.since)).toEqual(since);
  });

  it('brings up from its disk what it held, without its server and without a hub', async () => {
    const first = await site.startAgent();
    hub.want(assignment('web', { replicas: 2 }));
    const before = (await hub.running('web', 2)).replicas.map((r) => r.pid ?? 0);
    await end(first, 'SIGKILL');
    await site.killServer();
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await site.startAgent();
    const records = await eventually('replicas run again', async () => {
      const found = await site.records();
      return found.length === 2 &&
        found.every((r) => r.pid !== undefined && !before.includes(r.pid) && alive(r.pid))
        ? found
        : undefined;
    });
    expect(records).toHaveLength(2);
  });

  it('brings it up as soon the third time in a row that the power fails: that is no failure of a replica', async () => {
    let agent = await site.startAgent();
    hub.want(assignment('web', { run: { command: ['sleep', '1000'], restart: { backoffMs: 50 } } }));
    const runs = async (restarts: number) =>
      await hub.seen('web', ({ replicas: [replica] }) => {
        return replica?.phase === 'running' && replica.restarts === restarts;
      });
    for (let cut = 0; cut < 3; cut += 1) {
      const { pid } = (await runs(cut)).replicas[0] ?? {};
      const held = await eventually('it is on the disk', async () => {
        const [found] = await site.records();
        return found?.pid === pid ? found : undefined;
      });
      expect(held.streak).toBeLessThanOrEqual(1);
      await end(agent, 'SIGKILL');
      for (const one of [held.keeper, pid]) if (one !== undefined) process.kill(one, 'SIGKILL');
      await eventually('it is gone', () => !alive(pid ?? 0));
      agent = await site.startAgent();
    }
    const after = await runs(3);
    expect((await site.records())[0]?.streak).toBe(1);
    expect(after.replicas[0]?.message ?? '').not.toContain('exit code');
  });

  it('rises in its report numbers, over restarts too, and gives each report an id of its own', async () => {
    const first = await site.startAgent();
    hub.want(assignment('web'));
    await hub.running('web');
    await end(first, 'SIGTERM');
    const number = hub.newest('web')?.report ?? 0;
    await site.startAgent();
    await hub.seen('web', (o) => o.report > number);
    const numbers = hub.reports.map((r) => r.report);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(hub.ids).size).toBe(hub.ids.length);
    expect(hub.ids.every((id) => /^[\w-]{22}$/.test(id))).toBe(true);
  });

  it('keeps reports while the hub is away and its server restarts, and delivers the newest', async () => {
    hub.intake = () => ({ ok: false, code: 'unavailable', retryAfterMs: 50 });
    await site.startAgent();
    hub.want(assignment('web'));
    await eventually(
      'a report in the outbox',
      async () => ((await hub.bus.streamState('OUT'))?.messages ?? 0) >= 2,
    );
    await site.killServer();
    await site.startServer();
    hub.intake = () => ({ ok: true });
    expect((await hub.running('web')).replicas[0]?.phase).toBe('running');
    await eventually('an empty outbox', async () => (await hub.bus.streamState('OUT'))?.messages === 0);
  });

  it('refuses an older version than it holds', async () => {
    await site.startAgent();
    hub.want(assignment('web', { version: { generation: 5 }, replicas: 2 }));
    await hub.running('web', 2);
    hub.want(assignment('web', { version: { generation: 4 }, replicas: 1 }));
    hub.want(assignment('other', { run: { driver: 'mock' } }));
    await hub.running('other');
    expect(hub.newest('web')).toMatchObject({ version: { generation: 5 }, wanted: 2 });
  });

  it('sets a damaged file aside and gets the object again by digest', async () => {
    const first = await site.startAgent();
    hub.want(assignment('web'));
    const before = (await hub.running('web')).replicas[0]?.pid;
    await end(first, 'SIGTERM');
    await writeFile(join(site.dir, 'state', 'desired', 'shop.web.json'), '{"half');
    hub.reports.length = 0;
    await site.startAgent();
    const after = await hub.running('web');
    expect(after.replicas[0]?.pid).toBe(before);
    const quarantine = await import('node:fs/promises').then((fs) =>
      fs.readdir(join(site.dir, 'state', 'quarantine')),
    );
    expect(quarantine[0]).toMatch(/^shop\.web\.json\./);
  });

  it('refuses within a second what does not fit, and takes it up when there is room', async () => {
    await end(await site.startAgent(), 'SIGTERM');
    await mkdir(join(site.dir, 'state'), { recursive: true });
    const file = join(site.dir, 'site.json');
    const allocatable = { cpuMillicores: 1_000, memoryMiB: 1_000, diskMiB: 1_000 };
    await writeFile(
      file,
      JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), allocatable, drivers: ['mock'] }),
    );
    await site.startAgent();
    const mock = { run: { driver: 'mock' }, resources: { cpuMillicores: 600, memoryMiB: 10 } };
    hub.want(assignment('first', mock));
    await hub.running('first');
    const refusedMs = await fastest(1_500, async (generation) => {
      hub.want(assignment('second', { ...mock, version: { generation } }));
      await hub.seen('second', (o) => o.state === 'refused' && o.version.generation === generation);
    });
    expect(refusedMs).toBeLessThan(1_500);
    expect(hub.newest('second')?.refusal).toMatchObject({
      check: 'capacity',
      has: '400m of cpu free of 1000m',
      needs: '600m',
    });
    hub.want(assignment('third', { replicas: 1 }));
    const driver = await hub.seen('third', (o) => o.state === 'refused');
    expect(driver.refusal).toMatchObject({ check: 'driver', has: 'mock', needs: 'process' });
    hub.want(tombstone('first'));
    await hub.running('second');
  });

  it('needs at most 70 MiB at rest', async () => {
    const agent = await site.startAgent();
    hub.want(assignment('pretend', { run: { driver: 'mock' } }));
    await hub.running('pretend');
    const resident = await eventually(
      'a small agent',
      async () => {
        const status = await readFile(`/proc/${agent.pid}/status`, 'utf8');
        const mib = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
        return mib <= 70 ? mib : undefined;
        // On a machine under load the collection at rest comes late.
      },
      40_000,
    );
    expect(resident).toBeLessThanOrEqual(70);
  }, 60_000);
});
