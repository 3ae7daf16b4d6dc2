import { BreakableCloud } from './failover-cloud.js';
import type { PartContext } from './failover-parts.js';
import { percentile } from './report.js';

const SITES = ['n1', 'n2', 'n3'];
const NODES = 3;
const WORKLOADS_PER_SITE = 6;
const REPLICAS = 10;
const WAIT_MS = 60_000;

/** `node_loss.*`: a node of a site with three ends; the site's controller gives its replicas to the others. */
export async function loseNodes({ report, sizes, say }: PartContext): Promise<void> {
  const cloud = await BreakableCloud.start(SITES, NODES);
  try {
    await allNodes(cloud, SITES);
    const documents = SITES.flatMap((site) => workloadsOf(site).map((name) => pinned(name, site)));
    await cloud.apply(documents);
    for (const site of SITES) await untilRunning(cloud, site);
    const took: number[] = [];
    for (let round = 0; took.length < sizes.mockRuns; round += 1) {
      took.push(...(await Promise.all(SITES.map((site) => loseNode(cloud, site, (round % NODES) + 1)))));
      if (round % 5 === 0) say(`${took.length} of ${sizes.mockRuns}: ${Math.round(took.at(-1) ?? 0)} ms`);
    }
    report.add('node_loss.restored_ms_p50', percentile(took, 0.5), 'ms');
    report.add('node_loss.restored_ms_p99', percentile(took, 0.99), 'ms');
    report.add('node_loss.restored_ms_max', Math.max(...took), 'ms');
  } finally {
    await cloud.end();
  }
}

/** Milliseconds from the end of a node until everything that is wanted at the site is reported running on the others. */
async function loseNode(cloud: BreakableCloud, site: string, node: number): Promise<number> {
  const { supervisor } = cloud.under.cloud;
  const lost = `${site}-${node}`;
  const lostAt = performance.now();
  await supervisor.stop(node === 1 ? `agent-${site}` : `agent-${site}.${node}`, 'SIGKILL');
  const restoredAt = await untilRunning(cloud, site, lost);
  cloud.under.cloud.startAgent(site, node);
  await allNodes(cloud, [site]);
  await untilRunning(cloud, site);
  return restoredAt - lostAt;
}

async function untilRunning(cloud: BreakableCloud, site: string, without = ''): Promise<number> {
  const missing = () =>
    workloadsOf(site).filter((name) => runningAt(cloud, name, site, without) !== REPLICAS);
  return await cloud.timeline.until(
    () => missing().length === 0,
    WAIT_MS,
    () => `running at ${site} without ${without}: ${missing().join(', ')} are not`,
  );
}

function runningAt(cloud: BreakableCloud, name: string, site: string, without: string): number {
  const replicas = cloud.timeline.reports(name).get(site)?.replicas ?? [];
  return replicas.filter((r) => r.phase === 'running' && r.node !== without).length;
}

async function allNodes(cloud: BreakableCloud, sites: readonly string[]): Promise<void> {
  await cloud.timeline.until(
    () => sites.every((site) => cloud.timeline.nodesOf(site) === NODES),
    WAIT_MS,
    () => `${NODES} nodes at ${sites.map((s) => `${s} (${cloud.timeline.nodesOf(s)})`).join(', ')}`,
  );
}

const workloadsOf = (site: string) => Array.from({ length: WORKLOADS_PER_SITE }, (_, i) => `${site}-w${i}`);

function pinned(name: string, site: string): unknown {
  return {
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: 'bench' },
    spec: {
      run: { driver: 'mock' },
      resources: { cpuMillicores: 1, memoryMiB: 1 },
      placement: { replicas: REPLICAS, sites: { required: { name: site } } },
    },
  };
}
