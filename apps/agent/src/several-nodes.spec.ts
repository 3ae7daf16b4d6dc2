import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Bus } from '@skerry/bus';
import {
  logPageSchema,
  memberSchema,
  overrideSchema,
  SITE,
  SITE_BUCKETS,
  SITE_EPOCH_KEY,
  type Assignment,
  type LogPage,
  type Observed,
} from '@skerry/contracts';
import { allotmentBucket } from './members/allotment-book.js';
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

/** Until then what a removed node may have run is not told as gone: counted from when the last controller began. */
const LEASE_OVER_MS = 30_000;
/** Within this what a node ran runs on the others, from when it was told as lost. */
const REPLACED_MS = 5_000;
/** The same from when it ended, where nobody is told: it is lost after 3 s. */
const REPLACED_UNTOLD_MS = 12_000;
const ROOM = { cpuMillicores: 1_000, memoryMiB: 10_000, diskMiB: 10_000 };

/** One site with real agents and a real server; what one test leaves is what the next finds. */
describe('a site of several nodes', () => {
  /** One of them is removed first. */
  const NODES = ['n1', 'n2', 'n3', 'n4'];
  let removed = '';
  let site: SiteUnderTest;
  let hub: HubStandIn;
  /** A connection to look at what lies at the site. */
  let looks: Bus;
  const agents = new Map<string, ChildProcess>();
  const said: string[] = [];

  const folder = (node: string) => (node === 'n1' ? undefined : node);
  const start = async (node: string) => {
    const at = folder(node);
    agents.set(node, await site.startAgent(at === undefined ? {} : { node: at }));
  };
  const kill = async (node: string) => {
    await end(agents.get(node), 'SIGKILL');
    agents.delete(node);
  };
  const pidsOn = async (node: string) =>
    (await site.records(folder(node))).flatMap(({ pid }) => (pid !== undefined && alive(pid) ? [pid] : []));
  /** As a machine that loses its power: the agent and all that it ran. */
  const crash = async (node: string) => {
    const pids = await pidsOn(node);
    await kill(node);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  };
  const nodesOf = (o: Observed | undefined) =>
    (o?.replicas ?? []).filter((r) => r.phase === 'running').map((r) => r.node);
  const epoch = async () => {
    const entry = await allotmentBucket(looks).get(SITE_EPOCH_KEY);
    return entry?.value.kind === 'SiteEpoch' ? { by: entry.value.controller, at: entry.revision } : undefined;
  };
  /** All agents that run are heard, and one controls the site. */
  const controller = async () =>
    await eventually(
      'a controller that hears all',
      async () => {
        const last = hub.beats.at(-1);
        const is = await epoch().catch(() => undefined);
        const there = last !== undefined && Date.now() - last.at < 1_500 && last.beat.nodes === agents.size;
        const ready = [...agents.keys()].every((n) => hub.nodes.get(n)?.phase === 'ready');
        return there && ready && is !== undefined && agents.has(is.by) ? is.by : undefined;
      },
      30_000,
    );
  const other = (...not: string[]) => NODES.find((n) => agents.has(n) && !not.includes(n)) ?? '';
  const running = async (name: string, count: number, without: string) =>
    await hub.seen(name, (o) => nodesOf(o).length === count && !nodesOf(o).includes(without));
  /** Waits until what a node ran runs on the others, and the node is told as lost; `sinceLostMs` is from the one to the other. */
  const replaced = async (name: string, count: number, node: string) => {
    const lost = () => (hub.nodes.get(node)?.phase === 'lost' ? Date.now() : undefined);
    const [lostAt, { after, at }] = await Promise.all([
      eventually(`${node} is told as lost`, lost),
      running(name, count, node).then((told) => ({ after: told, at: Date.now() })),
    ]);
    return { after, sinceLostMs: at - lostAt };
  };
  const took = (what: string, began: number) => {
    const ms = Date.now() - began;
    said.push(`${what}: ${ms} ms`);
    return ms;
  };

  beforeAll(async () => {
    site = await SiteUnderTest.make({ allocatable: ROOM });
    for (const node of ['n2', 'n3', 'n4', 'never']) await site.addNode(node);
    await site.startServer();
    hub = await HubStandIn.at(site);
    looks = await site.connect();
    // All at once: they race for the lease.
    await Promise.all(NODES.map(start));
    await controller();
  }, 60_000);
  afterAll(async () => {
    for (const agent of agents.values()) await end(agent, 'SIGKILL');
    await looks.close();
    await hub.bus.close();
    await site.close();
    process.stdout.write(`${said.join('\n')}\n`);
  }, 60_000);

  it('takes from a removed node all it has, the lease too, and lets it in no more', async () => {
    removed = await controller();
    hub.want(assignment('first', { replicas: 4 }));
    expect(nodesOf(await hub.running('first', 4)).toSorted()).toEqual(NODES);
    hub.want({ kind: 'NodeRules', site: 's1', generation: 1, nodes: { [removed]: 'removed' } });
    await running('first', 4, removed);
    expect((await epoch())?.by).not.toBe(removed);
    await eventually('it has let go what it ran', async () => (await pidsOn(removed)).length === 0);
    await eventually('told as removed', () => hub.nodes.get(removed)?.phase === 'removed');
    const members = looks.bucket(SITE_BUCKETS.members, (v) => memberSchema.parse(v));
    const before = (await members.get(removed))?.value.incarnation;
    await kill(removed);
    await start(removed);
    agents.delete(removed);
    NODES.splice(NODES.indexOf(removed), 1);
    hub.want(tombstone('first'));
    await controller();
    expect((await members.get(removed))?.value.incarnation).toBe(before);
  });

  it('is closed to a node whose key was taken out of its server’s configuration', async () => {
    await (await site.connect('never')).close();
    await site.takeKeyAway('never');
    const closed = await eventually('its key opens nothing', async () => {
      const bus = await site.connect('never').catch(() => undefined);
      await bus?.close();
      return bus === undefined;
    });
    expect(closed).toBe(true);
  });

  it('spreads replicas over its nodes, runs each once, and reports as one', async () => {
    hub.want(
      assignment('web', { replicas: 3 }),
      assignment('many', { replicas: 6, run: { driver: 'mock' } }),
    );
    const web = await hub.running('web', 3);
    expect(nodesOf(web).toSorted()).toEqual(NODES);
    expect(nodesOf(await hub.running('many', 6)).toSorted()).toEqual(NODES.flatMap((n) => [n, n]));
    expect((await Promise.all(NODES.map(pidsOn))).map((p) => p.length)).toEqual([1, 1, 1]);
    const capacity = hub.beats.at(-1)?.beat.capacity.shapes;
    expect(capacity).toEqual([{ nodes: 3, ...ROOM }]);
    expect(NODES.map((n) => hub.nodes.get(n)?.phase)).toEqual(['ready', 'ready', 'ready']);
    // As they were sent: they may come several at a time.
    const sent = hub.beats.map(({ beat }) => Date.parse(beat.sentAt));
    const newest = Math.max(...sent);
    expect(sent.filter((at) => at > newest - 4_000).length).toBeLessThanOrEqual(5);
  });

  it('goes on when its controller dies, and its reports rise over controllers', async () => {
    const first = await controller();
    const began = Date.now();
    await crash(first);
    const { after, sinceLostMs } = await replaced('web', 3, first);
    took('controller killed -9, its replicas run on the others', began);
    expect(sinceLostMs).toBeLessThan(REPLACED_MS);
    expect((await epoch())?.by).not.toBe(first);
    const numbers = hub.reports.filter((r) => r.name === 'web').map((r) => r.report);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(after.report).toBe(numbers.at(-1));
    await start(first);
    await controller();
  });

  it('takes from a frozen controller what it had, which writes nothing and stops what moved when it wakes', async () => {
    const frozen = await controller();
    hub.want(assignment('pin', { replicas: 3 }));
    await hub.running('pin', 3);
    const mine = await pidsOn(frozen);
    expect(mine.length).toBeGreaterThan(0);
    const was = await epoch();
    const began = Date.now();
    agents.get(frozen)?.kill('SIGSTOP');
    await running('pin', 3, frozen);
    took('controller frozen, its replicas run on the others', began);
    const is = await epoch();
    expect(mine.every(alive)).toBe(true);
    agents.get(frozen)?.kill('SIGCONT');
    await eventually('it stopped what moved', () => !mine.some(alive));
    expect(await epoch()).toEqual(is);
    const written = allotmentBucket(looks);
    const entries = await Promise.all((await written.keys()).map(async (key) => await written.get(key)));
    const epochs = entries.flatMap((e) => (e?.value.kind === 'Allotment' ? [e.value.epoch] : []));
    expect(new Set(epochs.filter((e) => e > (was?.at ?? 0)))).toEqual(new Set([is?.at]));
    expect(nodesOf(hub.newest('pin'))).not.toContain(frozen);
    await controller();
  });

  it('tells the lines of all its nodes, and ends when all had their say', async () => {
    hub.want(
      assignment('talk', { replicas: 3, run: { command: ['/bin/sh', '-c', 'echo here; exec sleep 1000'] } }),
    );
    await hub.running('talk', 3);
    const pages: LogPage[] = [];
    const id = '0'.repeat(32);
    const hears = hub.bus.listen(SITE.answer(id), (m) => pages.push(logPageSchema.parse(m.json())));
    hub.bus.say(SITE.request('logs'), { id, project: 'shop', name: 'talk', tail: 10, follow: false });
    await eventually('the end', () => pages.at(-1)?.done);
    await hears.drain();
    expect(new Set(pages.flatMap((p) => p.lines.map((l) => l.replica))).size).toBe(3);
    expect(pages.filter((p) => p.done)).toHaveLength(1);
    hub.want(tombstone('talk'));
    await hub.seen('talk', (o) => o.version.generation === 2 && o.replicas.length === 0);
  });

  it('starts on the others what a dead node ran, and restarts nothing else', async () => {
    const control = await controller();
    const before = hub.newest('web');
    const victim = nodesOf(before).find((n) => n !== control) ?? '';
    const began = Date.now();
    await crash(victim);
    const { after, sinceLostMs } = await replaced('web', 3, victim);
    took('node killed -9, its replicas run on the others', began);
    expect(sinceLostMs).toBeLessThan(REPLACED_MS);
    const kept = before?.replicas.filter((r) => r.node !== victim) ?? [];
    for (const r of kept) expect(after.replicas.find((x) => x.slot === r.slot)?.pid).toBe(r.pid);
    await start(victim);
    await controller();
  });

  it('replaces what a dead node ran while the hub is away, and says so when it is back', async () => {
    hub.want(assignment('alone', { replicas: 3 }));
    await hub.running('alone', 3);
    const victim = other(await controller());
    hub.there = false;
    const began = Date.now();
    await crash(victim);
    const rest = NODES.filter((n) => n !== victim);
    const up = async () => {
      const records = await Promise.all(rest.map((n) => site.records(folder(n))));
      const pids = records
        .flat()
        .filter((r) => r.id.includes('alone') && r.pid !== undefined && alive(r.pid));
      return pids.length === 3;
    };
    await eventually('three run on two nodes', up);
    const ms = took('node killed -9 without a hub, its replicas run on the others', began);
    expect(ms).toBeLessThan(REPLACED_UNTOLD_MS);
    hub.there = true;
    await running('alone', 3, victim);
    await start(victim);
    await controller();
  });

  it('refuses within a second and a half what fits on no node, with what is short', async () => {
    const big = { resources: { cpuMillicores: 600, memoryMiB: 0 }, run: { driver: 'mock' } };
    const refusedMs = await fastest(3_000, async (generation) => {
      hub.want(assignment('big', { ...big, replicas: 4, version: { generation } }));
      await hub.seen('big', (o) => o.state === 'refused' && o.version.generation === generation);
    });
    expect(refusedMs).toBeLessThan(3_000);
    expect(hub.newest('big')?.refusal).toMatchObject({
      check: 'capacity',
      has: expect.stringMatching(/^room for [23] of 4 replicas on [23] nodes; n\d: /),
    });
    hub.want(assignment('big', { ...big, replicas: 3, version: { generation: 9 } }));
    expect(nodesOf(await hub.running('big', 3)).toSorted()).toEqual(NODES);
  });

  it('takes turns over its nodes for a local change, and refuses as a whole one that does not fit', async () => {
    const base = assignment('till', { replicas: 3 });
    hub.want(base);
    const before = await hub.running('till', 3);
    expect(nodesOf(before).toSorted()).toEqual(NODES);
    const overrides = looks.bucket(SITE_BUCKETS.overrides, (v) => overrideSchema.parse(v));
    const change = async (proposal: string, object: Assignment) => {
      const { site: at, project, name, version } = object;
      const made = { verb: 'apply' as const, by: 'ann', at: new Date().toISOString() };
      const over = { kind: 'Override' as const, site: at, project, name, proposal, base: version, object };
      await overrides.set('override.shop.till', { ...over, ...made });
    };
    const least: number[] = [];
    const timer = setInterval(() => least.push(nodesOf(hub.newest('till')).length), 5);
    await change('change-1', { ...base, run: { ...base.run, command: ['sleep', '2000'] } });
    const pids = new Set(before.replicas.map((r) => r.pid));
    const all = (o: Observed) => o.replicas.filter((r) => r.phase === 'running' && !pids.has(r.pid));
    const after = await hub.seen('till', (o) => all(o).length === 3);
    clearInterval(timer);
    expect(Math.min(...least)).toBeGreaterThanOrEqual(2);
    const large = { ...base.resources, cpuMillicores: 5_000 };
    await change('change-2', { ...base, resources: large });
    const refused = await hub.seen('till', (o) => o.state === 'refused');
    expect(refused.replicas.map((r) => r.pid)).toEqual(after.replicas.map((r) => r.pid));
    await overrides.delete('override.shop.till');
    await hub.seen('till', (o) => o.state === 'accepted' && all(o).every((r) => r.change === undefined));
    hub.want(tombstone('till'));
    await hub.seen('till', (o) => o.replicas.length === 0);
  });

  it('empties a node that is to be drained, with each replica running elsewhere before it goes', async () => {
    await controller();
    const [victim = ''] = nodesOf(hub.newest('web'));
    const least: number[] = [];
    const counts = () => least.push(nodesOf(hub.newest('web')).length);
    const timer = setInterval(counts, 20);
    hub.want({
      kind: 'NodeRules',
      site: 's1',
      generation: 2,
      nodes: { [removed]: 'removed', [victim]: 'draining' },
    });
    await running('web', 3, victim);
    clearInterval(timer);
    expect(Math.min(...least)).toBe(3);
    await eventually('told as draining', () => hub.nodes.get(victim)?.phase === 'draining');
    hub.want({ kind: 'NodeRules', site: 's1', generation: 3, nodes: { [removed]: 'removed' } });
    await eventually('told as ready', () => hub.nodes.get(victim)?.phase === 'ready');
  });

  it('removes everywhere what is removed, and forgets it when every node has said so', async () => {
    hub.want(tombstone('web'), tombstone('pin'), tombstone('alone'));
    for (const name of ['web', 'pin', 'alone'])
      await hub.seen(name, (o) => o.state === 'absent', LEASE_OVER_MS);
    expect((await Promise.all(NODES.map(pidsOn))).flat()).toEqual([]);
    const seen = looks.bucket(SITE_BUCKETS.seen, (v) => v);
    await eventually(
      'nothing is kept of it',
      async () => !(await seen.keys()).some((k) => k.endsWith('.shop.web')),
    );
    await eventually('nobody has to be told', async () => {
      return (await allotmentBucket(looks).get('shop.web')) === undefined;
    });
  }, 60_000);

  it('waits for a removed node no more once its lease must be over: it is no member', async () => {
    await hub.seen('first', (o) => o.state === 'absent', LEASE_OVER_MS);
    const members = looks.bucket(SITE_BUCKETS.members, (v) => v);
    await eventually('it is no member', async () => !(await members.keys()).includes(removed));
    await eventually('nobody has to be told', async () => {
      return (await allotmentBucket(looks).get('shop.first')) === undefined;
    });
    const seen = await looks.bucket(SITE_BUCKETS.seen, (v) => v).keys();
    expect(seen.filter((key) => key.startsWith(`${removed}.`))).toEqual([]);
  }, 60_000);
});
