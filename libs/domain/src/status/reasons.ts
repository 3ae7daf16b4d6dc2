import type { Placement, Replica, WorkloadPhase } from '@skerry/contracts';
import type { SiteFacts, StatusFacts } from './facts.js';

/** Reasons shown of one workload; the rest is counted. */
export const MAX_REASONS = 16;

/** Why it is not running as wanted, each in one line; none when it is. */
export function reasonsOf(facts: StatusFacts, phase: WorkloadPhase): string[] {
  if (phase === 'running' || phase === 'completed' || phase === 'stopped' || phase === 'removed') return [];
  const reasons = [...placementReasons(facts.placement), ...facts.sites.flatMap(siteReasons)];
  if (reasons.length <= MAX_REASONS) return reasons;
  return [...reasons.slice(0, MAX_REASONS), `and ${reasons.length - MAX_REASONS} more`];
}

function placementReasons(placement: Placement | undefined): string[] {
  if (placement === undefined) return ['waiting for the scheduler'];
  if (placement.state !== 'unplaceable' && placement.state !== 'partial') return [];
  const placed = placement.shares.reduce((n, s) => n + (s.until === 'returned' ? 0 : s.replicas), 0);
  const failed = Object.entries(placement.failedChecks).map(
    ([check, sites]) => `${check} fails at ${siteCount(sites)}`,
  );
  const summary = `${placed} of ${placement.wanted} replicas could be placed`;
  return [failed.length === 0 ? summary : `${summary}: ${failed.toSorted().join(', ')}`];
}

const siteCount = (n: number) => (n === 1 ? '1 site' : `${n} sites`);

function siteReasons(site: SiteFacts): string[] {
  const { status } = site;
  const name = status.site;
  if (status.wanted === 0) return [];
  if (site.lost) return [`${name} is ${status.phase}: its ${status.replicas.length} replicas do not count`];
  if (status.refusal !== undefined) {
    const { check, has, needs } = status.refusal;
    return [`${name} refused: ${check} has ${has}, needs ${needs}`];
  }
  const silent = status.phase === 'suspect' ? [`${name} has not been heard for a while`] : [];
  const waiting = site.current ? [] : [`${name} has not yet acted on this version`];
  return [...silent, ...waiting, ...status.replicas.flatMap((r) => replicaReason(name, r))];
}

function replicaReason(site: string, replica: Replica): string[] {
  switch (replica.phase) {
    case 'running':
    case 'completed':
    case 'stopping':
      return [];
    case 'starting':
      // It says what it waits for, such as a copy of a dataset that is not caught up.
      return replica.message?.startsWith('waits') === true
        ? [`${site} replica ${replica.slot} ${replica.message}`]
        : [];
    case 'unhealthy':
    case 'backoff':
    case 'failed': {
      const exit = replica.exitCode === undefined ? '' : `, exit code ${replica.exitCode}`;
      const message = replica.message === undefined ? '' : `: ${replica.message}`;
      return [
        `${site} replica ${replica.slot} ${replica.phase}${exit}, ${replica.restarts} restarts${message}`,
      ];
    }
  }
}
