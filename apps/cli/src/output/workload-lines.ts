import type { Placement, Share, SiteStatus, Status, WorkloadPhase } from '@skerry/contracts';
import { plain, type Terminal } from './terminal.js';

/** `eu-de 2, jp-tok 1`: where it is placed. */
export function placesOf(sites: readonly Pick<SiteStatus, 'site' | 'wanted'>[]): string {
  return sites.map(({ site, wanted }) => `${site} ${wanted}`).join(', ') || '-';
}

/** A phase in its colour: green for well, red for not, yellow for on its way. */
export function phaseText(phase: WorkloadPhase, { colours }: Terminal): string {
  switch (phase) {
    case 'running':
    case 'completed':
      return colours.green(phase);
    case 'unplaceable':
    case 'failed':
    case 'degraded':
      return colours.red(phase);
    case 'placing':
    case 'starting':
    case 'stopping':
      return colours.yellow(phase);
    case 'stopped':
    case 'removed':
      return colours.dim(phase);
    default:
      return phase satisfies never;
  }
}

export const STATUS_HEAD = ['WORKLOAD', 'PHASE', 'RUNNING', 'SITES', 'LATENCY', 'A MONTH'];

/** One row of the status table. */
export function statusRow(status: Status, terminal: Terminal): string[] {
  const { latencyMs, costPerMonth } = status;
  return [
    `${status.project}/${status.name}`,
    phaseText(status.phase, terminal),
    `${status.running}/${status.wanted}`,
    placesOf(status.sites.filter(({ wanted }) => wanted > 0)),
    latencyMs === undefined ? '-' : `${latencyMs.toFixed(0)} ms`,
    costPerMonth === undefined ? '-' : costPerMonth.toFixed(2),
  ];
}

/** Why a workload is not as wanted, one line each; of a cron also when it ran and will run. */
export function reasonLines(status: Status): string[] {
  const lines = [...status.reasons, ...status.sites.flatMap(runLine)];
  return lines.map((line) => `${status.project}/${status.name}: ${plain(line)}`);
}

function runLine({ site, runs }: SiteStatus): string[] {
  if (runs === undefined) return [];
  const last = runs.last === undefined ? 'has not run yet' : `last run ${runs.last}`;
  return [`${site}: ${last}, ${runs.next === undefined ? 'no further run' : `next ${runs.next}`}`];
}

/** What a placement says in a sentence. */
export function placementText(placement: Placement): string {
  const placed = placedIn(placement);
  switch (placement.state) {
    case 'placed':
      return `${placed} of ${placement.wanted} replicas placed`;
    case 'partial':
      return `only ${placed} of ${placement.wanted} replicas could be placed`;
    case 'unplaceable':
      return `none of ${placement.wanted} replicas could be placed`;
    case 'stopped':
      return 'stopped: nothing is placed';
    case 'removed':
      return 'removed: nothing is placed';
    default:
      return placement.state satisfies never;
  }
}

/** What stood in the way, one line a site; the rest is counted by check. */
export function rejectedLines({ rejected, failedChecks }: Placement): string[] {
  const named = rejected.map(({ site, failed }) => {
    const remedy = failed.remedy ? `; ${failed.remedy}` : '';
    return `${site}: ${failed.check}: has ${failed.has}, needs ${failed.needs}${remedy}`;
  });
  const total = Object.values(failedChecks).reduce((sum, n) => sum + n, 0);
  if (total <= rejected.length) return named.map(plain);
  const counts = Object.entries(failedChecks).map(([check, n]) => `${check} ${n}`);
  return [...named, `sites failed by check: ${counts.join(', ')}`].map(plain);
}

/** Replicas of a placement, without those that are placed elsewhere until their site returns. */
export function placedIn({ shares }: Placement): number {
  return shares.reduce((sum, { until, replicas }) => sum + (until === 'returned' ? 0 : replicas), 0);
}

/** Why a share is where it is, and how long when that is not for good. */
export function shareText({ until, why }: Share): string {
  return until === 'replaced' ? `${why}; until replaced` : why;
}
