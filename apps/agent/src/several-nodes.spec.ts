import type { ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Bus } from '@skerry/bus';
import type { Observed } from '@skerry/contracts';
import { alive, assignment, end, eventually, HubStandIn, SiteUnderTest } from './site-under-test.suite.js';

const ROOM = { cpuMillicores: 1_000, memoryMiB: 10_000, diskMiB: 10_000 };
const NODES = ['n1', 'n2', 'n3'];

describe('a site of three nodes', () => {
  let site: SiteUnderTest;
  let hub: HubStandIn;
  let agents: Map<string, ChildProcess>;
  /** A connection to look at what lies at the site. */
  let looks: Bus;

  const folder = (node: string) => (node === 'n1' ? undefined : node);
  const start = async (node: string) => {
    const at = folder(node);
    agents.set(node, await site.startAgent(at === undefined ? {} : { node: at }));
  };
  const kill = async (node: string, signal: NodeJS.Signals = 'SIGKILL') => {
    await end(agents.get(node), signal);
    agents.delete(node);
  };
  /** As a machine that loses its power: the agent and all that it ran. */
  const crash = async (node: string) => {
    const pids = await pidsOn(node);
    await kill(node);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  };
  const pidsOn = async (node: string) =>
    (await site.records(folder(node))).flatMap(({ pid }) => (pid !== undefined && alive(pid) ? [pid] : []));
  const nodesOf = (o: Observed | undefined) =>
    (o?.replicas ?? []).filter((r) => r.phase === 'running').map((r) => r.node);
  const controller = async () =>
    await eventually('a controller', async () => {
      const last = hub.beats.at(-1);
      const bucket = looks.bucket({ name: 'allotments', owner: 'agent', maxBytes: 1 }, asEpoch);
      const entry = await bucket.get('epoch').catch(() => undefined);
      return last !== undefined && last.beat.nodes === agents.size ? entry?.value.controller : undefined;
    });

  beforeEach(async () => {
    agents = new Map();
    site = await SiteUnderTest.make({ allocatable: ROOM });
    await site.addNode('n2');
    await site.addNode('n3');
    await site.startServer();
    hub = await HubStandIn.at(site);
    looks = await site.connect();
    for (const node of NODES) await start(node);
    await controller();
  });
  afterEach(async () => {
    await looks.close();
    await hub.bus.close();
    await site.close();
  });

  it('spreads replicas, reports as one, and starts on the others what a dead node ran', async () => {
    hub.want(
      assignment('web', { replicas: 3 }),
      assignment('pretend', { replicas: 6, run: { driver: 'mock' } }),
    );
    const web = await hub.running('web', 3);
    expect(nodesOf(web).toSorted()).toEqual(NODES);
    await hub.running('pretend', 6);
    const leader = await controller();
    const victim = NODES.find((n) => n !== leader) ?? '';
    const began = Date.now();
    await crash(victim);
    const gone = (o: Observed) => nodesOf(o).length === 3 && !nodesOf(o).includes(victim);
    const after = await hub.seen('web', gone);
    const tookMs = Date.now() - began;
    console.log(`a dead node's replicas ran on the others after ${tookMs} ms`);
    expect(tookMs).toBeLessThan(5_000);
    const kept = new Map(web.replicas.map((r) => [r.slot, r.pid]));
    for (const r of after.replicas.filter((x) => web.replicas[x.slot]?.node !== victim))
      expect(r.pid).toBe(kept.get(r.slot));
    expect(hub.nodes.get(victim)?.phase).toBe('lost');
  });
});

function asEpoch(value: unknown): { controller?: string } {
  return typeof value === 'object' && value !== null ? value : {};
}
