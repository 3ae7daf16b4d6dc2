import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { BreakableCloud } from './failover-cloud.js';
import type { PartContext } from './failover-parts.js';
import { percentile } from './report.js';

const AT_ONCE = 3;
const PER_SITE = 3;
const LOOK_MS = 20;
const PLACED_MS = 60_000;
const UP_MS = 60_000;
/** Of all replicas of this part; nothing else on the machine is called so. */
const ARGUMENT = `31536${process.pid}`;

/**
 * `offline_reboot.*`: sites are cut off and lose their power; then their server and agent start in whatever order, still
 * without the hub. Measured from the agent's start until the last of its replicas runs, as the kernel sees it.
 */
export async function rebootOffline({ report, sizes, say }: PartContext): Promise<void> {
  const sites = Array.from({ length: sizes.sites }, (_, i) => `s${i + 1}`);
  const cloud = await BreakableCloud.start(sites);
  try {
    await cloud.apply(Array.from({ length: PER_SITE }, (_, i) => everywhere(`sleep${i}`)));
    const running = (site: string) => sleepersAt(cloud, site).length;
    await until(() => sites.every((site) => running(site) === PER_SITE), PLACED_MS, 'replicas at every site');
    const took: number[] = [];
    for (let round = 0; took.length < sizes.mockRuns; round += 1) {
      const victims = Array.from(
        { length: AT_ONCE },
        (_, i) => sites[(round * AT_ONCE + i) % sites.length] ?? '',
      );
      took.push(...(await Promise.all(victims.map((site) => reboot(cloud, site)))));
      await cloud.ready(victims);
      if (round % 5 === 0) say(`${took.length} of ${sizes.mockRuns}: ${Math.round(took.at(-1) ?? 0)} ms`);
    }
    report.add('offline_reboot.running_ms_p50', percentile(took, 0.5), 'ms');
    report.add('offline_reboot.running_ms_p99', percentile(took, 0.99), 'ms');
    report.add('offline_reboot.running_ms_max', Math.max(...took), 'ms');
  } finally {
    await cloud.end();
  }
}

/** Milliseconds from the start of the agent until everything runs. */
async function reboot(cloud: BreakableCloud, site: string): Promise<number> {
  cloud.lab.cut(site);
  await cloud.powerCut(site);
  await until(() => sleepersAt(cloud, site).length === 0, UP_MS, `nothing runs at ${site}`);
  const startedAt = performance.now();
  cloud.startAll(site);
  await until(() => sleepersAt(cloud, site).length === PER_SITE, UP_MS, `replicas run at ${site}`);
  const tookMs = performance.now() - startedAt;
  cloud.lab.heal(site);
  return tookMs;
}

/** Replicas of this part that run at a site. */
function sleepersAt(cloud: BreakableCloud, site: string): string[] {
  const namespace = cloud.lab.namespaceId(site);
  return readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `sleep\0${ARGUMENT}\0` &&
        readlinkSync(`/proc/${pid}/ns/net`) === namespace
      );
    } catch {
      return false; // It has ended meanwhile.
    }
  });
}

async function until(holds: () => boolean, withinMs: number, what: string): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
}

function everywhere(name: string): unknown {
  return {
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: 'bench' },
    spec: {
      type: 'daemon',
      run: { command: ['sleep', ARGUMENT] },
      resources: { cpuMillicores: 1, memoryMiB: 1 },
    },
  };
}
