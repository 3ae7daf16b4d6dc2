// The whole line through the house: apply over HTTP, admitted, placed, delivered to four sites, reported running.
// Everything is a process of its own, every write is fsynced; only the replicas are mocks.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { SkerryClient } from '@skerry/client';
import { clientOf, exampleSites } from '@skerry/local';
import { ensureNatsServer } from '@skerry/nats-server';
import { startCloud, eventually, type CloudUnderTest } from '../e2e/cloud-under-test.js';
import { applyAll, applyFolders, applyPaced, latencies, mockDocument, watchTimeline } from './apply-load.js';
import { measureRaw } from './raw-jetstream.js';
import { percentile, Report } from './report.js';
import { residentMiB } from './resident-memory.js';
import { startTraceSink } from './trace-sink.js';

const WORKLOADS = 1_000;
const IN_FLIGHT = 64;
/** Documents of one folder: one command, all or nothing. */
const FOLDER = 250;
const PACED_PER_S = 50;
const PACED = 500;
const SETTLE_MS = 5_000;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    workloads: { type: 'string', default: String(WORKLOADS) },
    'no-tracing': { type: 'boolean', default: false },
  },
});
const report = new Report(values.json);
const count = Number(values.workloads);
const sites = await exampleSites(resolve('deploy', 'examples'));
const nats = await ensureNatsServer();
report.machine(nats.version);

const home = await mkdtemp(join(tmpdir(), 'skerry-bench-'));
try {
  await untraced(home);
  if (!values['no-tracing']) await traced();
} finally {
  await rm(home, { recursive: true, force: true });
}

async function untraced(folder: string): Promise<void> {
  const coldFrom = performance.now();
  const under = await startCloud({ sites, home: folder });
  try {
    await sitesReady(under);
    report.add('start.cold_s', (performance.now() - coldFrom) / 1_000, 's');
    await pause(SETTLE_MS);
    memory(under, 'idle');
    await measureRaw(report, {
      url: `nats://127.0.0.1:${under.cloud.file.ports.hub}`,
      credsFile: under.cloud.paths.creds('test-admin'),
    });
    await manyOfOne(under, '');
    await oneOfMany(under);
    await pause(SETTLE_MS);
    memory(under, `after_${count}`);
  } finally {
    await under.end();
  }
  const warmFrom = performance.now();
  const again = await startCloud({ sites, home: folder });
  try {
    await sitesReady(again);
    report.add('start.warm_s', (performance.now() - warmFrom) / 1_000, 's');
  } finally {
    await again.end();
  }
}

async function traced(): Promise<void> {
  const sink = await startTraceSink();
  const under = await startCloud({ sites, env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url } });
  try {
    await sitesReady(under);
    await manyOfOne(under, 'traced.');
    report.say(`the trace sink took ${sink.requests()} requests`);
  } finally {
    await under.end();
    await sink.stop();
  }
}

/**
 * Workloads of one replica: a thousand, each as a command of its own, through services that have just started; a thousand
 * in folders of 250, one command each; 500 at a steady rate, for latencies without a queue of our own making; and a
 * thousand in folders once more, through code that is warm by then.
 */
async function manyOfOne(under: CloudUnderTest, prefix: string): Promise<void> {
  const client: SkerryClient = await clientOf(under.cloud);
  const timeline = await watchTimeline(under.admin);
  const running = (name: string) => (timeline.running.get(name)?.replicas ?? 0) > 0;
  const all = async (names: readonly string[], what: string) => {
    await eventually(() => (names.every((n) => timeline.placed.has(n)) ? true : undefined), {
      withinMs: 90_000,
      what: `${what} placed`,
    });
    await eventually(() => (names.every(running) ? true : undefined), {
      withinMs: 90_000,
      what: `${what} running`,
    });
  };
  const rate = (names: readonly string[], from: number, at: (name: string) => number | undefined) =>
    (names.length / (Math.max(...names.map((n) => at(n) ?? Number.NaN)) - from)) * 1_000;

  const singles = Array.from({ length: count }, (_, i) => `s${i}`);
  const singlesFrom = performance.now();
  await applyAll(client, timeline, singles, IN_FLIGHT);
  report.add(`${prefix}applies.per_s`, (count / (performance.now() - singlesFrom)) * 1_000, '1/s');
  await all(singles, 'single applies');
  report.add(
    `${prefix}placements.single_applies_per_s`,
    rate(singles, singlesFrom, (n) => timeline.placed.get(n)),
    '1/s',
  );

  const inFolders = async (letter: string, name: string) => {
    const names = Array.from({ length: count }, (_, i) => `${letter}${i}`);
    const from = performance.now();
    await applyFolders(client, timeline, names, FOLDER);
    await all(names, 'folders');
    const placedAt = (n: string) => timeline.placed.get(n);
    report.add(`${prefix}placements.${name}_per_s`, rate(names, from, placedAt), '1/s');
    const runningAt = (n: string) => timeline.running.get(n)?.at;
    report.add(`${prefix}running.${name}_per_s`, rate(names, from, runningAt), '1/s');
  };
  await inFolders('f', '1000x1_first');

  const paced = Array.from({ length: PACED }, (_, i) => `p${i}`);
  await applyPaced(client, timeline, paced, PACED_PER_S);
  await all(paced, 'paced applies');
  const placed = latencies(timeline, paced, (n) => timeline.placed.get(n));
  const up = latencies(timeline, paced, (n) => timeline.running.get(n)?.at);
  const acknowledged = latencies(timeline, paced, (n) => timeline.acknowledged.get(n));
  report.add(`${prefix}apply.acknowledged_ms_p50`, percentile(acknowledged, 0.5), 'ms');
  report.add(`${prefix}apply.placed_ms_p50`, percentile(placed, 0.5), 'ms');
  report.add(`${prefix}apply.placed_ms_p99`, percentile(placed, 0.99), 'ms');
  report.add(`${prefix}apply.running_ms_p50`, percentile(up, 0.5), 'ms');
  report.add(`${prefix}apply.running_ms_p99`, percentile(up, 0.99), 'ms');

  await inFolders('g', '1000x1');
  await timeline.stop();
}

/** One workload of a thousand replicas, from the apply until the last of them is reported running. */
async function oneOfMany(under: CloudUnderTest): Promise<void> {
  const client = await clientOf(under.cloud);
  const timeline = await watchTimeline(under.admin);
  const from = performance.now();
  await client.apply({ documents: [mockDocument('many', 1_000)] });
  await eventually(() => (timeline.running.get('many')?.replicas === 1_000 ? true : undefined), {
    withinMs: 60_000,
    what: '1,000 replicas running',
    everyMs: 5,
  });
  report.add(
    'placements.1x1000_per_s',
    (1_000 / ((timeline.running.get('many')?.at ?? 0) - from)) * 1_000,
    '1/s',
  );
  await timeline.stop();
}

function memory({ cloud }: CloudUnderTest, when: string): void {
  const of = (names: string[]) => names.map((n) => residentMiB(cloud.supervisor.pid(n)));
  const names = cloud.supervisor.names();
  const agents = of(names.filter((n) => n.startsWith('agent-')));
  const leafs = of(names.filter((n) => n.startsWith('leaf-')));
  const services = names.filter((n) => n !== 'hub' && !/^(agent|leaf)-/.test(n));
  report.add(`rss.agent_${when}_mib`, Math.max(...agents), 'MiB');
  report.add(`rss.leaf_${when}_mib`, Math.max(...leafs), 'MiB');
  report.add(
    `rss.control_plane_${when}_mib`,
    of(services).reduce((a, b) => a + b, 0),
    'MiB',
  );
  report.add(`rss.hub_${when}_mib`, residentMiB(cloud.supervisor.pid('hub')), 'MiB');
  for (const name of services)
    report.add(`rss.${name}_${when}_mib`, residentMiB(cloud.supervisor.pid(name)), 'MiB');
}

async function sitesReady(under: CloudUnderTest): Promise<void> {
  const client = await clientOf(under.cloud);
  await eventually(
    async () => {
      const all = await client.sites();
      return all.length === sites.length && all.every((s) => s.state?.phase === 'ready') ? true : undefined;
    },
    { withinMs: 60_000, what: 'every site ready' },
  );
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
