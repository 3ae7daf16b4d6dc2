import { BreakableCloud, describeBreak, type Break } from './failover-cloud.js';
import { percentile, type Report } from './report.js';

const RESTORED_MS = 60_000;
const BACK_MS = 90_000;

/** What a site's loss and return took, ms. */
export interface LossSample {
  how: string;
  /** Until the hub declared it lost. */
  detectMs: number;
  /** Until everything that ran there runs elsewhere. */
  restoredMs: number;
  afterLostMs: number;
  /** From its return until nothing runs twice. */
  doubleMs: number;
  /** Replicas there that have another process than before, or have been restarted. */
  restarted: number;
}

interface Loss {
  site: string;
  brokenAt: number;
  /** What ran there. */
  workloads: string[];
  before: Map<string, string>;
}

/** Breaks some sites at the same moment, waits until what ran there runs elsewhere, mends them and waits until all is as before. */
export async function loseAndReturn(
  cloud: BreakableCloud,
  sites: readonly string[],
  how: Break,
  wanted: ReadonlyMap<string, number>,
): Promise<LossSample[]> {
  const losses: Loss[] = sites.map((site) => {
    const workloads = cloud.timeline.workloadsAt(site);
    return { site, brokenAt: 0, workloads, before: replicasAt(cloud, site, workloads) };
  });
  for (const loss of losses) loss.brokenAt = await cloud.break(loss.site, how);
  const gone = new Set(sites);
  const restored = await Promise.all(losses.map((loss) => untilRestored(cloud, loss, gone, wanted)));
  const mendedAt = new Map<string, number>();
  for (const { site } of losses) mendedAt.set(site, await cloud.mend(site, how));
  await cloud.ready(sites);
  const affected = [...new Set(losses.flatMap((l) => l.workloads))];
  const single = await untilSingle(cloud, affected, wanted);
  return losses.map((loss, i) => {
    const { lostAt, restoredAt } = restored[i] ?? { lostAt: Number.NaN, restoredAt: Number.NaN };
    return {
      how: describeBreak(how),
      detectMs: lostAt - loss.brokenAt,
      restoredMs: restoredAt - loss.brokenAt,
      afterLostMs: restoredAt - lostAt,
      doubleMs: single - (mendedAt.get(loss.site) ?? Number.NaN),
      restarted: restartedOf(loss.before, replicasAt(cloud, loss.site, loss.workloads)),
    };
  });
}

async function untilRestored(
  cloud: BreakableCloud,
  loss: Loss,
  gone: ReadonlySet<string>,
  wanted: ReadonlyMap<string, number>,
): Promise<{ lostAt: number; restoredAt: number }> {
  const { timeline } = cloud;
  const missing = () => loss.workloads.filter((w) => timeline.running(w, gone) < (wanted.get(w) ?? 0));
  const lost = () => timeline.lostSince(loss.site, loss.brokenAt);
  const what = () =>
    `${loss.site} is ${lost() === undefined ? 'not ' : ''}lost, elsewhere are missing: ${missing().slice(0, 5).join(', ')} (${missing().length})`;
  const restoredAt = await timeline.until(
    () => lost() !== undefined && missing().length === 0,
    RESTORED_MS,
    what,
  );
  return { lostAt: lost() ?? Number.NaN, restoredAt };
}

async function untilSingle(
  cloud: BreakableCloud,
  workloads: readonly string[],
  wanted: ReadonlyMap<string, number>,
): Promise<number> {
  const wrong = () => workloads.filter((w) => cloud.timeline.running(w) !== (wanted.get(w) ?? 0));
  return await cloud.timeline.until(
    () => wrong().length === 0,
    BACK_MS,
    () =>
      `not as many as wanted: ${wrong()
        .slice(0, 5)
        .map((w) => `${w} ${cloud.timeline.running(w)}`)
        .join(', ')} (${wrong().length})`,
  );
}

/** A site's replicas by id, each with what changes when it is started anew. */
export function replicasAt(
  cloud: BreakableCloud,
  site: string,
  workloads: readonly string[],
): Map<string, string> {
  const replicas = workloads.flatMap((w) => cloud.timeline.reports(w).get(site)?.replicas ?? []);
  return new Map(replicas.map((r) => [r.id, `${r.pid ?? ''} ${r.restarts}`]));
}

/** Replicas that are there before and after, and were started anew in between. */
export function restartedOf(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): number {
  return [...before].filter(([id, was]) => after.has(id) && after.get(id) !== was).length;
}

/** Figures of all samples, and a table by kind of break for people. */
export function reportLosses(report: Report, samples: readonly LossSample[], prefix: string): void {
  const column = (pick: (s: LossSample) => number) => samples.map(pick);
  const figures: [string, number[]][] = [
    ['detect_ms', column((s) => s.detectMs)],
    ['restored_ms', column((s) => s.restoredMs)],
    ['after_lost_ms', column((s) => s.afterLostMs)],
    ['double_running_ms', column((s) => s.doubleMs)],
  ];
  for (const [name, values] of figures) {
    report.add(`${prefix}.${name}_p50`, percentile(values, 0.5), 'ms');
    report.add(`${prefix}.${name}_p99`, percentile(values, 0.99), 'ms');
    report.add(`${prefix}.${name}_max`, Math.max(...values), 'ms');
  }
  for (const how of new Set(samples.map((s) => s.how))) {
    const of = samples.filter((s) => s.how === how);
    const median = (pick: (s: LossSample) => number) => Math.round(percentile(of.map(pick), 0.5));
    const most = (pick: (s: LossSample) => number) => Math.round(Math.max(...of.map(pick)));
    report.say(
      `  ${how.padEnd(12)} ${of.length} times: lost after ${median((s) => s.detectMs)} (max ${most((s) => s.detectMs)}) ms, restored ${median((s) => s.restoredMs)} (${most((s) => s.restoredMs)}), twice for ${median((s) => s.doubleMs)} (${most((s) => s.doubleMs)}), restarted ${of.reduce((n, s) => n + s.restarted, 0)}`,
    );
  }
}
