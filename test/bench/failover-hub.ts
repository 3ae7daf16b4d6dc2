import { readFile } from 'node:fs/promises';
import type { Bus } from '@skerry/bus';
import { hubServers, SERVICES, type LocalCloud } from '@skerry/local';
import { eventually, plainSite, startCloud, type CloudUnderTest } from '../e2e/cloud-under-test.js';
import { endable } from './failover-ends.js';
import { Prober } from './failover-probe.js';
import type { PartContext } from './failover-parts.js';

const SITES = ['one', 'two', 'three'];
/** Before a process is killed, so that all is in its usual state. */
const CALM_MS = 2_000;
/** What was killed stays away for so long: nobody is helped by its return. */
const AWAY_SERVICE_MS = 6_000;
const AWAY_HUB_MS = 18_000;
const SETTLED_MS = 60_000;

/** `service_kill.*`: an instance of each service is killed, the active one where one is; another has to take over. */
export async function killServices({ report, sizes, say }: PartContext): Promise<void> {
  const under = await startHa();
  try {
    const stalls: Stall[] = [];
    const rounds = Math.max(1, Math.round(sizes.hubRuns / 2));
    for (let round = 0; round < rounds; round += 1) {
      for (const app of SERVICES) {
        const name = await activeInstance(under.cloud, app);
        const stall = await stallOf(under, `${app}${round}x`, {
          end: () => under.cloud.supervisor.stop(name, 'SIGKILL'),
          begin: () => under.cloud.startService(app, name === app ? 0 : 1),
          awayMs: AWAY_SERVICE_MS,
        });
        await under.cloud.ready([name]);
        say(`${name} killed: ${stallText(stall)}`);
        report.say(`  ${name.padEnd(14)} ${stallText(stall)}`);
        stalls.push(stall);
      }
    }
    report.add('service_kill.stall_ms_max', Math.max(...stalls.map((s) => s.placed)), 'ms');
    report.add('service_kill.running_stall_ms_max', Math.max(...stalls.map((s) => s.running)), 'ms');
  } finally {
    await under.end();
  }
}

/** `hub_kill.*`: one of three servers of the hub is killed: the one that leads every stream, or one that leads none. */
export async function killHubServers({ report, sizes, say }: PartContext): Promise<void> {
  const under = await startHa();
  try {
    const leading: Stall[] = [];
    const others: Stall[] = [];
    for (let round = 0; round < sizes.hubRuns; round += 1) {
      const servers = hubServers(under.cloud.file).map(({ name }) => name);
      const leader = await metaLeader(under.cloud);
      await leadBy(under.admin, leader);
      const other = servers.find((name) => name !== leader) ?? '';
      for (const [victim, list, what] of [
        [other, others, 'leads nothing'],
        [leader, leading, 'leads everything'],
      ] as const) {
        const stall = await stallOf(under, `h${round}${what === 'leads nothing' ? 'o' : 'l'}x`, {
          end: () => under.cloud.supervisor.stop(victim, 'SIGKILL'),
          begin: () => under.cloud.startHub(victim),
          awayMs: AWAY_HUB_MS,
        });
        await hubWell(under.cloud);
        say(`${victim}, which ${what}, killed: ${stallText(stall)}`);
        report.say(`  ${victim.padEnd(8)} ${what.padEnd(18)} ${stallText(stall)}`);
        list.push(stall);
      }
    }
    report.add('hub_kill.stall_ms_max', Math.max(...leading.map((s) => s.placed)), 'ms');
    report.add('hub_kill.running_stall_ms_max', Math.max(...leading.map((s) => s.running)), 'ms');
    report.add('hub_kill.other_stall_ms_max', Math.max(...others.map((s) => s.placed)), 'ms');
    report.add('hub_kill.other_running_stall_ms_max', Math.max(...others.map((s) => s.running)), 'ms');
  } finally {
    await under.end();
  }
}

/** From the request until the placement was committed, and until it was reported running: the longest since the kill, ms. */
interface Stall {
  placed: number;
  running: number;
  applies: number;
}

const stallText = (s: Stall) =>
  `placed after ${Math.round(s.placed)} ms at most, running after ${Math.round(s.running)} ms (${s.applies} applies, none lost)`;

async function startHa(): Promise<CloudUnderTest> {
  const under = await startCloud({ sites: SITES.map((name) => plainSite(name)), hub: 3, instances: 2 });
  await pause(CALM_MS);
  return { ...under, end: endable(under.end) };
}

async function stallOf(
  under: CloudUnderTest,
  prefix: string,
  victim: { end: () => Promise<void>; begin: () => void | Promise<void>; awayMs: number },
): Promise<Stall> {
  const prober = await Prober.start(under.cloud, await tokenOf(under.cloud), prefix);
  try {
    await pause(CALM_MS);
    const killedAt = performance.now();
    await victim.end();
    await pause(victim.awayMs);
    try {
      await prober.settled(SETTLED_MS);
    } finally {
      await victim.begin();
    }
    return {
      placed: prober.longest(killedAt, 'placedAt'),
      running: prober.longest(killedAt, 'runningAt'),
      applies: prober.probes.length,
    };
  } finally {
    await prober.end();
  }
}

async function tokenOf(cloud: LocalCloud): Promise<string> {
  const context: unknown = JSON.parse(await readFile(cloud.paths.context, 'utf8'));
  if (typeof context === 'object' && context !== null && 'token' in context) return String(context.token);
  throw new Error(`${cloud.paths.context} holds no token`);
}

/** The process of a service that holds its lease; its first where it has none. */
async function activeInstance(cloud: LocalCloud, app: string): Promise<string> {
  const second = `${app}-2`;
  return (await cloud.holds(second)).length > 0 ? second : app;
}

async function metaLeader(cloud: LocalCloud): Promise<string> {
  return await eventually(
    async () => {
      const answer: unknown = await (await fetch(`http://127.0.0.1:${cloud.file.ports.monitor}/jsz`)).json();
      const meta = field(answer, 'meta_cluster');
      const leader = field(meta, 'leader');
      return typeof leader === 'string' && leader !== '' ? leader : undefined;
    },
    { withinMs: 20_000, what: 'a leader of the hub' },
  );
}

/** Makes one server lead every stream and every consumer. */
async function leadBy(bus: Bus, server: string): Promise<void> {
  await eventually(
    async () => {
      const streams = await list(bus, '$JS.API.STREAM.LIST', 'streams');
      const elsewhere: string[] = [];
      for (const stream of streams) {
        const name = String(field(field(stream, 'config'), 'name'));
        if (field(field(stream, 'cluster'), 'leader') !== server)
          elsewhere.push(`STREAM.LEADER.STEPDOWN.${name}`);
        for (const consumer of await list(bus, `$JS.API.CONSUMER.LIST.${name}`, 'consumers')) {
          const replicas = field(field(consumer, 'cluster'), 'replicas');
          const copies = Array.isArray(replicas) ? replicas.length : 0;
          if (copies === 0 || field(field(consumer, 'cluster'), 'leader') === server) continue;
          elsewhere.push(`CONSUMER.LEADER.STEPDOWN.${name}.${String(field(consumer, 'name'))}`);
        }
      }
      const body = { placement: { preferred: server } };
      for (const verb of elsewhere) await bus.request(`$JS.API.${verb}`, body).catch(() => undefined);
      return elsewhere.length === 0 ? true : undefined;
    },
    { withinMs: 30_000, what: `${server} leads every stream`, everyMs: 500 },
  );
}

async function list(bus: Bus, subject: string, what: string): Promise<unknown[]> {
  const answer = (await bus.request(subject, {})).json();
  const items = field(answer, what);
  return Array.isArray(items) ? items : [];
}

async function hubWell(cloud: LocalCloud): Promise<void> {
  for (const { name, monitor } of hubServers(cloud.file)) {
    await eventually(
      async () => ((await fetch(`http://127.0.0.1:${monitor}/healthz`)).ok ? true : undefined),
      { withinMs: 30_000, what: `${name} is well`, everyMs: 200 },
    );
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
