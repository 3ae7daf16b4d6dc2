import { BreakableCloud, describeBreak, type Break } from './failover-cloud.js';
import type { PartContext } from './failover-parts.js';
import { loseAndReturn, replicasAt, reportLosses, restartedOf, type LossSample } from './failover-sites.js';
import { percentile } from './report.js';

const REPLICAS = 5;
/** Of each site; what fails at once is this and the same of the others that fail with it. */
const MOCKS_PER_SITE = 100;
const REAL_WORKLOADS = 10;
const PLACED_MS = 60_000;
const HALF_OPEN_RUNS = 5;
/** Between a site's return and the next loss. */
const REST_MS = 1_000;

const ROUND: readonly Break[] = [
  { kind: 'cut', which: 'both' },
  { kind: 'frozen' },
  { kind: 'killed' },
  { kind: 'cut', which: 'up' },
  { kind: 'cut', which: 'down' },
  { kind: 'power-cut' },
];

/** `failover.*` and `rejoin.restarts`: sites are lost in every way, first with real processes and then with 500 mocks at once. */
export async function loseSites({ report, sizes, say }: PartContext): Promise<void> {
  const sites = Array.from({ length: sizes.sites }, (_, i) => `s${i + 1}`);
  const cloud = await BreakableCloud.start(sites);
  try {
    const real = Array.from({ length: REAL_WORKLOADS }, (_, i) => `real${i}`);
    const realSamples = await manyLosses(cloud, sites, {
      runs: sizes.realRuns,
      atOnce: Math.min(3, sizes.atOnce),
      workloads: real,
      document: sleeper,
      say,
    });
    reportLosses(report, realSamples, 'failover.real');
    // After a power cut all of them have to be.
    const lived = realSamples.filter((s) => s.how !== describeBreak({ kind: 'power-cut' }));
    report.add(
      'rejoin.restarts',
      lived.reduce((sum, s) => sum + s.restarted, 0),
      'replicas',
    );
    await halfOpenLinks(cloud, sites.slice(0, HALF_OPEN_RUNS), { report, real });
    for (const name of real) await cloud.client.remove('bench', name);
    const count = Math.ceil((sizes.sites * MOCKS_PER_SITE) / REPLICAS);
    const mockSamples = await manyLosses(cloud, sites, {
      runs: sizes.mockRuns,
      atOnce: sizes.atOnce,
      workloads: Array.from({ length: count }, (_, i) => `mock${i}`),
      document: mock,
      say,
    });
    reportLosses(report, mockSamples, 'failover');
  } finally {
    await cloud.end();
  }
}

/**
 * `half_open.*`: the packets of a site's connections are dropped, those of new ones are not. From then until what is applied
 * for that site runs there: its server has to notice that nobody answers. Nothing that runs may be started anew for it.
 */
async function halfOpenLinks(
  cloud: BreakableCloud,
  sites: readonly string[],
  { report, real }: { report: PartContext['report']; real: readonly string[] },
): Promise<void> {
  const took: number[] = [];
  let restarted = 0;
  for (const site of sites) {
    const before = replicasAt(cloud, site, real);
    const name = `link-${site}`;
    const brokenAt = await cloud.break(site, { kind: 'half-open' });
    await cloud.apply([only(site, mock(name))]);
    const runs = await cloud.timeline.until(
      () => cloud.timeline.running(name) === 1,
      PLACED_MS,
      () => `${name} runs at ${site}`,
    );
    took.push(runs - brokenAt);
    await cloud.mend(site, { kind: 'half-open' });
    await cloud.ready([site]);
    restarted += restartedOf(before, replicasAt(cloud, site, real));
    await cloud.client.remove('bench', name);
  }
  report.add('half_open.running_ms_p50', percentile(took, 0.5), 'ms');
  report.add('half_open.running_ms_max', Math.max(...took), 'ms');
  report.add('half_open.restarts', restarted, 'replicas');
}

interface Losing {
  runs: number;
  atOnce: number;
  workloads: readonly string[];
  document: (name: string) => unknown;
  say: (line: string) => void;
}

/** Applies the workloads and loses sites in turn, a few at once, each time in another way. */
async function manyLosses(
  cloud: BreakableCloud,
  sites: readonly string[],
  losing: Losing,
): Promise<LossSample[]> {
  const { workloads, atOnce, runs, say } = losing;
  const wanted = new Map(workloads.map((name) => [name, REPLICAS]));
  await cloud.apply(workloads.map((name) => losing.document(name)));
  await cloud.timeline.until(
    () => workloads.every((name) => cloud.timeline.running(name) === REPLICAS),
    PLACED_MS,
    () => 'everything runs',
  );
  say(`${workloads.length} workloads of ${REPLICAS} replicas run at ${sites.length} sites`);
  const samples: LossSample[] = [];
  for (let round = 0; samples.length < runs; round += 1) {
    const how = ROUND[round % ROUND.length] ?? { kind: 'killed' };
    const victims = Array.from(
      { length: atOnce },
      (_, i) => sites[(round * atOnce + i) % sites.length] ?? '',
    );
    samples.push(...(await loseAndReturn(cloud, victims, how, wanted)));
    const last = samples.at(-1);
    say(
      `${samples.length} of ${runs}: ${describeBreak(how)} of ${victims.join(', ')}: lost ${Math.round(last?.detectMs ?? 0)} ms, restored ${Math.round(last?.restoredMs ?? 0)} ms, twice for ${Math.round(last?.doubleMs ?? 0)} ms`,
    );
    await new Promise((done) => setTimeout(done, REST_MS));
  }
  return samples;
}

/** A real process that does nothing: what is measured is Skerry. */
function sleeper(name: string): unknown {
  return document(name, { command: ['sleep', '1000000'], stop: { graceMs: 1_000 } });
}

function mock(name: string): Document {
  return document(name, { driver: 'mock' });
}

/** One replica, at this site or nowhere. */
function only(site: string, { spec, ...rest }: Document): Document {
  return { ...rest, spec: { ...spec, placement: { replicas: 1, sites: { required: { site } } } } };
}

interface Document {
  spec: { run: object; resources: object; placement: object };
}

function document(name: string, run: object): Document {
  const about = { apiVersion: 'skerry/v1', kind: 'Workload', metadata: { name, project: 'bench' } };
  const spec = { run, resources: { cpuMillicores: 1, memoryMiB: 1 }, placement: { replicas: REPLICAS } };
  return { ...about, spec };
}
