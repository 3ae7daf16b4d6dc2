import type { Users } from '../demand/users.js';
import type { SiteIndex } from '../site-index.js';
import { weightsOf, type AdviceRequest } from './prospects.js';

/** One site among those that are advised. */
export interface AdvisedSite {
  readonly name: string;
  /** Share of the users that it serves, 0 to 1, and their mean round trip. */
  readonly userShare: number;
  readonly latencyMs: number;
  readonly costPerMonth: number;
}

/** The best sites of one number. */
export interface Advised {
  /** By name. */
  readonly sites: readonly AdvisedSite[];
  readonly meanMs: number;
  /** 95 of 100 users are served at least as near. */
  readonly p95Ms: number;
  readonly costPerMonth: number;
  /** Share of the users whose round trip was measured; that of the others is estimated from coordinates. */
  readonly measuredShare: number;
  /** What it is chosen by: the mean and the cost by their weights. */
  readonly objective: number;
}

const EPSILON = 1e-9;
const PERCENTILE = 0.95;

/** A user location, where it is served, and how near. */
interface Visit {
  /** Index of the site. */
  readonly site: number;
  readonly weight: number;
  readonly ms: number;
  readonly measured: boolean;
}

/** The figures of a set of opened sites, by their indices in ascending order. */
export function advisedOf(
  request: AdviceRequest,
  users: Users,
  index: SiteIndex,
  opened: readonly number[],
): Advised {
  const visits = visitsOf(request, users, index, opened);
  const advised = opened.flatMap((ordinal) => {
    const facts = index.sites[ordinal];
    if (facts === undefined) return [];
    const own = visits.filter(({ site }) => site === ordinal);
    const userShare = weightOf(own);
    const { cpuCoreMonth, egressGiB } = facts.site.prices;
    const costPerMonth = cpuCoreMonth + userShare * request.egressGiBMonth * egressGiB;
    return [{ name: facts.name, userShare, latencyMs: meanMs(own), costPerMonth }];
  });
  const costPerMonth = advised.reduce((sum, site) => sum + site.costPerMonth, 0);
  const mean = meanMs(visits);
  const { perLatencyMs, perPrice } = weightsOf(request);
  return {
    sites: advised,
    meanMs: mean,
    p95Ms: percentileMs(visits, PERCENTILE),
    costPerMonth,
    measuredShare: weightOf(visits.filter(({ measured }) => measured)),
    objective: perLatencyMs * mean + perPrice * costPerMonth,
  };
}

/** Each user location goes where its round trip and what is sent to it cost least: to the nearest, unless egress is priced. */
function visitsOf(
  request: AdviceRequest,
  users: Users,
  index: SiteIndex,
  opened: readonly number[],
): Visit[] {
  const { perLatencyMs, perPrice } = weightsOf(request);
  const perEgress = perPrice * request.egressGiBMonth;
  const rows = opened.map((site) => ({
    site,
    row: users.row(site),
    egress: perEgress * (index.egressPrice[site] ?? 0),
  }));
  return Array.from(users.weight, (weight, p) => {
    let best: Visit | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const { site, row, egress } of rows) {
      const ms = row.ms[p] ?? 0;
      const costs = perLatencyMs * ms + egress;
      if (best && costs >= least - EPSILON) continue;
      least = costs;
      best = { site, weight, ms, measured: row.measured[p] === 1 };
    }
    return best ?? { site: -1, weight, ms: 0, measured: false };
  });
}

function weightOf(visits: readonly Visit[]): number {
  return visits.reduce((sum, { weight }) => sum + weight, 0);
}

function meanMs(visits: readonly Visit[]): number {
  let [sum, weights] = [0, 0];
  for (const { weight, ms } of visits) {
    sum += weight * ms;
    weights += weight;
  }
  return weights === 0 ? 0 : sum / weights;
}

/** The least round trip that at least `part` of the users, by weight, do not exceed. */
function percentileMs(visits: readonly Visit[], part: number): number {
  const total = weightOf(visits);
  let served = 0;
  for (const { weight, ms } of visits.toSorted((a, b) => a.ms - b.ms)) {
    served += weight;
    if (served >= part * total * (1 - EPSILON)) return ms;
  }
  return 0;
}
