import type { ReplicaPhase, WorkloadPhase } from '@skerry/contracts';
import type { SiteFacts, StatusFacts } from './facts.js';

/** One word for how a workload fares, from its facts alone: what it was before plays no part. */
export function phaseOf(facts: StatusFacts): WorkloadPhase {
  const { workload, placement } = facts;
  if (workload.removed) return facts.sites.some((s) => s.live > 0) ? 'stopping' : 'removed';
  if (workload.stopped) return facts.sites.some((s) => s.live > 0) ? 'stopping' : 'stopped';
  if (placement === undefined) return 'placing';
  if (facts.wanted === 0) return facts.sites.some((s) => s.live > 0) ? 'stopping' : 'stopped';
  if (workload.spec.type === 'job') return phaseOfJob(facts);
  if (workload.spec.type === 'cron') return phaseOfCron(facts);
  if (isComplete(facts)) return 'running';
  if (placement.state === 'unplaceable') return facts.running > 0 ? 'degraded' : 'unplaceable';
  if (allFailed(facts)) return 'failed';
  return isTroubled(facts) ? 'degraded' : 'starting';
}

/** Everything that is wanted runs, and every site acts on the newest decision. */
export function isComplete(facts: StatusFacts): boolean {
  const shares = facts.sites.filter((s) => s.status.wanted > 0);
  return facts.running >= facts.wanted && shares.every((s) => s.current);
}

/** Phases of a replica that say that something is wrong with it. */
const TROUBLED: readonly ReplicaPhase[] = ['unhealthy', 'backoff', 'failed'];

/** Something keeps it from running that time alone will not mend. */
export function isTroubled(facts: StatusFacts): boolean {
  return facts.placement?.state === 'partial' || facts.sites.some(isTroubledSite);
}

export function isTroubledSite(site: SiteFacts): boolean {
  if (site.status.wanted === 0) return false;
  return (
    site.lost ||
    site.status.refusal !== undefined ||
    site.status.replicas.some((r) => TROUBLED.includes(r.phase))
  );
}

function phaseOfJob(facts: StatusFacts): WorkloadPhase {
  if (facts.completed >= facts.wanted) return 'completed';
  const failed = facts.sites.some((s) => s.status.replicas.some((r) => r.phase === 'failed'));
  const live = facts.sites.some((s) => s.live > 0);
  if (failed && !live) return 'failed';
  if (facts.placement?.state === 'unplaceable') return live ? 'degraded' : 'unplaceable';
  if (facts.running + facts.completed >= facts.wanted) return 'running';
  return isTroubled(facts) ? 'degraded' : 'starting';
}

/** Between its runs nothing of a cron runs: it is well when every site keeps its time and the newest run did not fail. */
function phaseOfCron(facts: StatusFacts): WorkloadPhase {
  if (facts.placement?.state === 'unplaceable') return facts.running > 0 ? 'degraded' : 'unplaceable';
  if (isTroubled(facts)) return 'degraded';
  return facts.sites.every((s) => s.status.wanted === 0 || s.current) ? 'running' : 'starting';
}

/** Nothing of it lives and every replica there is has failed for good. */
function allFailed(facts: StatusFacts): boolean {
  const replicas = facts.sites.flatMap((s) => (s.lost ? [] : s.status.replicas));
  return replicas.length > 0 && replicas.every((r) => r.phase === 'failed');
}
