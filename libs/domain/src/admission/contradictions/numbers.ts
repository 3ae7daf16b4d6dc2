import type { Issue } from '@skerry/contracts';
import { replicaRange } from '../../placement/index.js';
import type { Draft } from '../contradictions.js';
import { canonical, possibleValues } from './possible-values.js';

/** Numbers of replicas that cannot go together with where they may be. */
export function countFaults({ spec: { type, placement } }: Draft): Issue[] {
  if (type === 'daemon') return [];
  const { min, max } = replicaRange(placement);
  const issues: Issue[] = [];
  const { distinct, survive, traffic } = placement;
  const values = distinct === undefined ? undefined : possibleValues(placement, distinct);
  if (distinct !== undefined && values && values.length < min) {
    issues.push({
      path: 'spec.placement.distinct',
      problem: `${min} replicas, and only ${values.length} possible values of ${distinct}`,
      value: distinct,
      allowed: `at most ${values.length} replicas: ${values.slice(0, 8).join(', ')}`,
    });
  }
  if (survive === undefined || min === 0 || type === 'singleton') return issues;
  const sites = possibleValues(placement, canonical('site'));
  if (sites?.length === 1) {
    const problem = `only ${sites[0]} may be taken, and nothing is left when it is lost`;
    issues.push({ path: 'spec.placement.survive', problem, allowed: 'at least two sites' });
  }
  // With each replica at a site of its own one is lost; the others carry `headroom / min` of the users each.
  const needed = Math.ceil(min / traffic.headroom - 1e-9) + 1;
  if (max < needed) {
    issues.push({
      path: 'spec.placement.survive',
      problem: `${max} replica${max === 1 ? '' : 's'} cannot carry all users when one is lost`,
      value: `headroom ${traffic.headroom}`,
      allowed: enough(min, max, traffic.headroom),
    });
  }
  return issues;
}

function enough(min: number, max: number, headroom: number): string {
  const most = Math.max(max, Math.ceil(min / headroom - 1e-9) + 1);
  const room = max > 1 ? `, or a headroom of ${(Math.ceil((min / (max - 1)) * 100) / 100).toString()}` : '';
  return `replicas: {min: ${min}, max: ${most}}${room}`;
}

/** A latency ceiling without users limits nothing. */
export function userFaults({ spec: { placement } }: Draft): Issue[] {
  if (placement.maxLatencyMs === undefined || placement.users.length > 0) return [];
  return [
    {
      path: 'spec.placement.maxLatencyMs',
      problem: 'no users are given whom it could be for',
      value: String(placement.maxLatencyMs),
      allowed: 'with spec.placement.users',
    },
  ];
}

/** Who takes room of lower priority needs a priority above the lowest. */
export function priorityFaults({ spec: { placement } }: Draft): Issue[] {
  if (!placement.preempts || placement.priority > 0) return [];
  return [
    {
      path: 'spec.placement.preempts',
      problem: 'there is no priority below 0 whose room could be taken',
      value: 'true',
      allowed: 'with spec.placement.priority of at least 1',
    },
  ];
}
