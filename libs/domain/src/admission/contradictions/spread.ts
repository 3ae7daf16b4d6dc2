import { LIMITS, type Issue } from '@skerry/contracts';
import { quotasOf, replicaRange } from '../../placement/index.js';
import type { Around, Draft } from '../contradictions.js';
import { barOf, possibleValues } from './possible-values.js';

/** Targets that no sites can meet, or that the number of replicas is too small for. */
export function spreadFaults({ spec: { type, placement } }: Draft, around: Around): Issue[] {
  const { spread } = placement;
  if (spread?.targets === undefined || type === 'daemon') return [];
  const { over } = spread;
  const { max } = replicaRange(placement);
  const issues: Issue[] = [];
  for (const [value, percent] of Object.entries(spread.targets)) {
    const path = `spec.placement.spread.targets.${value}`;
    const bar = value === '*' || percent === 0 ? undefined : barOf(placement, over, value, around);
    if (bar !== undefined)
      issues.push({ path, problem: `${bar}: these replicas could never be placed`, value: `${percent}%` });
    const least = value !== '*' && percent > 0 && max > 0 ? leastFor(value, spread.targets, max) : max;
    if (least > max) {
      const allowed = `at least ${least} replicas, or a larger share`;
      issues.push({ path, problem: `${percent}% of ${max} replicas is none`, value: `${percent}%`, allowed });
    }
  }
  return [...issues, ...nowhereElse(placement, over)];
}

/** Targets that name every value there can be leave `*` empty. */
function nowhereElse(placement: Draft['spec']['placement'], over: string): Issue[] {
  const targets = placement.spread?.targets ?? {};
  const rest = targets['*'] ?? 0;
  const values = possibleValues(placement, over);
  if (rest === 0 || values === undefined || values.some((v) => targets[v] === undefined)) return [];
  const problem = `no value of ${over} is left beside those named`;
  return [{ path: 'spec.placement.spread.targets.*', problem, value: `${rest}%`, allowed: 'left out' }];
}

/** The least number of replicas, from `max` on, of which the value gets one: whole replicas are dealt out by the largest remainder. */
function leastFor(value: string, targets: Readonly<Record<string, number>>, max: number): number {
  for (let n = max; n < max + LIMITS.replicasPerWorkload; n += 1) {
    if ((quotasOf(targets, n).get(value) ?? 0) > 0) return n;
  }
  return max + LIMITS.replicasPerWorkload;
}
