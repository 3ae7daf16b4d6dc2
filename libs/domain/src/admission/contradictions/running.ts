import type { Issue } from '@skerry/contracts';
import { scheduleFault } from '../../schedule/index.js';
import type { Around, Draft } from '../contradictions.js';

/** What the type of a workload rules out. */
export function typeFaults({ spec: { type, placement } }: Draft): Issue[] {
  const issues: Issue[] = [];
  const refuse = (field: string, problem: string, allowed: string) =>
    issues.push({ path: `spec.placement.${field}`, problem, allowed });
  if (type === 'daemon') {
    if (placement.replicas !== 1)
      refuse('replicas', 'a daemon takes as many as there are matching sites or nodes', 'left out');
    if (placement.spread) refuse('spread', 'a daemon runs at every site that matches', 'left out');
    if (placement.distinct) refuse('distinct', 'a daemon runs at every site that matches', 'left out');
    if (placement.survive) refuse('survive', 'a daemon is not moved from a site to another', 'left out');
  }
  if (type === 'singleton') {
    if (placement.replicas !== 1) refuse('replicas', 'a singleton has one owner', '1');
    if (placement.survive)
      refuse('survive', 'the loss of its site leaves a singleton none', 'left out; or type: service');
  }
  return issues;
}

/** A job or a run of a cron ends; one that is always started again does not. */
export function restartFaults({ spec: { type, run } }: Draft): Issue[] {
  const { policy, backoffMs, maxBackoffMs } = run.restart;
  const issues: Issue[] = [];
  if ((type === 'job' || type === 'cron') && policy === 'always') {
    issues.push({
      path: 'spec.run.restart.policy',
      problem: `a ${type} that is always started again never completes`,
      value: 'always',
      allowed: 'on-failure, never; or type: service',
    });
  }
  if (backoffMs > maxBackoffMs) {
    issues.push({
      path: 'spec.run.restart.maxBackoffMs',
      problem: 'below backoffMs',
      value: String(maxBackoffMs),
      allowed: `at least ${backoffMs}`,
    });
  }
  return issues;
}

/** A schedule that can be read, in a time zone that exists, and that is due some day. */
export function cronFaults({ spec: { cron } }: Draft, { at }: Around): Issue[] {
  const fault = cron && scheduleFault(cron, at);
  if (!cron || !fault) return [];
  const allowed =
    fault.field === 'timeZone'
      ? 'a name of the IANA database, such as Europe/Berlin'
      : 'minute, hour, day of month, month, day of week (with seconds before them, if wanted), such as "30 3 * * 1-5"';
  return [{ path: `spec.cron.${fault.field}`, problem: fault.problem, value: cron[fault.field], allowed }];
}
