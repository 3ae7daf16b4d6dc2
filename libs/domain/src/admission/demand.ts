import type { DemandPoint, Issue, UserGroup } from '@skerry/contracts';
import type { Located } from './types.js';

/** Points that a country is seen as: its largest cities. */
export const POINTS_PER_COUNTRY = 20;
/** Points of one workload: more would make its record large and its placement slow; with many countries each has fewer. */
export const DEMAND_POINTS_PER_WORKLOAD = 512;

type Locate = (group: UserGroup, most: number) => Located;

/**
 * Turns groups of users into coordinates whose weights add up to 1. Coordinates are taken as given; a city is one point, a
 * country its largest cities by their population. Points at the same place are one. Every unknown place is named.
 */
export function demandOf(
  users: readonly UserGroup[],
  locate: Locate,
): { points: DemandPoint[]; issues: Issue[] } {
  const total = users.reduce((sum, group) => sum + group.weight, 0);
  const most = Math.max(
    1,
    Math.min(POINTS_PER_COUNTRY, Math.floor(DEMAND_POINTS_PER_WORKLOAD / Math.max(1, users.length))),
  );
  const merged = new Map<string, DemandPoint>();
  const issues: Issue[] = [];
  for (const [at, group] of users.entries()) {
    const located = pointsOf(group, most, locate);
    if (!located.ok) {
      issues.push(issueOf(located, group, at));
      continue;
    }
    for (const point of located.points) add(merged, point, (group.weight / total) * point.weight);
  }
  return { points: [...merged.values()], issues };
}

function pointsOf(group: UserGroup, most: number, locate: Locate): Located {
  const { lat, lon } = group;
  if (lat === undefined || lon === undefined) return locate(group, most);
  return { ok: true, points: [{ label: `${lat},${lon}`, lat, lon, weight: 1 }] };
}

function add(merged: Map<string, DemandPoint>, point: DemandPoint, weight: number): void {
  // A share too small to be a number would be refused by the schema of what is stored.
  if (!(weight > 0)) return;
  const key = `${point.lat},${point.lon}`;
  const known = merged.get(key);
  merged.set(key, { ...(known ?? point), weight: (known?.weight ?? 0) + weight });
}

function issueOf(located: Extract<Located, { ok: false }>, group: UserGroup, at: number): Issue {
  const value = group[located.field];
  return {
    path: `spec.placement.users[${at}].${located.field}`,
    problem: located.problem,
    ...(value === undefined ? {} : { value }),
    ...(located.allowed === undefined ? {} : { allowed: located.allowed }),
  };
}
