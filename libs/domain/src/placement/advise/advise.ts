import {
  workloadSpecSchema,
  type DemandPoint,
  type PlacementRules,
  type Prices,
  type Site,
  type SiteState,
  type Workload,
} from '@skerry/contracts';
import { Users } from './demand/users.js';
import { Ledger } from './ledger.js';
import { place } from './place.js';
import { siteFacts } from './site-facts.js';
import { SiteIndex } from './site-index.js';
import type { Decision, PlaceRequest, Snapshot } from './types.js';
import { DEFAULT_WEIGHTS } from './weights.js';

/** A place where a site could be opened. */
export interface SiteProspect {
  readonly name: string;
  /** Degrees. */
  readonly lat: number;
  readonly lon: number;
  readonly jurisdictions: readonly string[];
  /** Currency units a month of the whole site. */
  readonly costPerMonth: number;
  /** Currency units for a GiB sent to users. */
  readonly egressGiB: number;
  /** Measured round trips in ms to other prospects, by name. */
  readonly rttMs: Readonly<Record<string, number>>;
}

export interface AdviceRequest {
  /** Names are used once each. */
  readonly prospects: readonly SiteProspect[];
  /** At least one; weights are relative to each other. */
  readonly users: readonly DemandPoint[];
  /** Measured round trips from the users, by index and then by name of prospect. */
  readonly measuredMs?: PlaceRequest['measuredMs'];
  /** Sites to open at most: 1 or more. */
  readonly maxSites: number;
  readonly residency?: PlacementRules['residency'];
  /** Sent to all users together. */
  readonly egressGiBMonth: number;
  /** Currency units a month that a millisecond of the mean user, and that a currency unit, is worth. */
  readonly weights?: { readonly perLatencyMs: number; readonly perPrice: number };
}

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

export interface Advice {
  /** The number of sites, at most `maxSites`, whose objective is least; of equals the fewer. Undefined when no prospect may be taken. */
  readonly chosen: Advised | undefined;
  /** The best one site, the best two, … up to `maxSites` or as many as there are. */
  readonly curve: readonly Advised[];
  /** With one site more than those chosen. */
  readonly next: Advised | undefined;
  /** Prospects that may not be taken, and why; at most `LIMITS.rejectedSitesPerDecision`. */
  readonly rejected: Decision['rejected'];
}

/** Objectives nearer than this are equal. */
const EPSILON = 1e-9;
const PERCENTILE = 0.95;
/** So much that one site could carry all users: a site that is not built yet has the room that is asked of it. */
const NO_LIMIT_HEADROOM = 1_000;

/**
 * Which sites to open for these users: the same engine, objective and estimates as a placement of one replica a site, for every
 * number of sites up to `maxSites` and one beyond.
 */
export function advise(request: AdviceRequest): Advice {
  const snapshot = snapshotOf(request.prospects);
  const index = SiteIndex.of(snapshot.sites);
  const users = new Users(request.users, index, request.measuredMs);
  const tried: Advised[] = [];
  let rejected: Decision['rejected'] = [];
  for (let sites = 1; sites <= request.maxSites + 1; sites += 1) {
    const decision = place(placeRequestOf(request, sites), snapshot);
    if (sites === 1) ({ rejected } = decision);
    if (decision.state !== 'placed') break;
    tried.push(advisedOf(request, users, index, decision));
  }
  const curve = tried.slice(0, request.maxSites);
  const least = curve.reduce((min, { objective }) => Math.min(min, objective), Number.POSITIVE_INFINITY);
  const at = curve.findIndex(({ objective }) => objective <= least + EPSILON);
  return { chosen: curve[at], curve, next: at < 0 ? undefined : tried[at + 1], rejected };
}

function weightsOf({ weights }: AdviceRequest): { perLatencyMs: number; perPrice: number } {
  return weights ?? DEFAULT_WEIGHTS;
}

function placeRequestOf(request: AdviceRequest, sites: number): PlaceRequest {
  const { residency, egressGiBMonth, measuredMs } = request;
  const total = request.users.reduce((sum, { weight }) => sum + weight, 0);
  const spec = workloadSpecSchema.parse({
    run: { driver: 'mock' },
    resources: NEED,
    placement: {
      replicas: sites,
      traffic: { egressGiBMonth, headroom: NO_LIMIT_HEADROOM },
      ...(residency === undefined ? {} : { residency }),
    },
  });
  const workload: Workload = {
    kind: 'Workload',
    ...NAMED,
    labels: {},
    generation: 1,
    spec,
    specDigest: `sha256:${'0'.repeat(64)}`,
    demand: request.users.map((user) => ({ ...user, weight: user.weight / total })),
    stopped: false,
    removed: false,
    ...AT_ONCE,
    requestId: 'advise-0',
  };
  // Sites are empty, take one replica each and hold none: what is left are the users and the money.
  const weights = { ...DEFAULT_WEIGHTS, ...weightsOf(request), perUse: 0, perConcentration: 0, perMove: 0 };
  const measured = measuredMs === undefined ? {} : { measuredMs };
  return { workload, present: new Map(), refusals: new Map(), now: 0, weights, ...measured };
}

const NAMED = { project: 'advise', name: 'site' };
/** The whole of a prospect: one core at the price of the site, so that it takes one replica and no second. */
const NEED = { cpuMillicores: 1_000, memoryMiB: 0, diskMiB: 0 };
const EPOCH = new Date(0).toISOString();
const AT_ONCE = { createdAt: EPOCH, updatedAt: EPOCH, commandSequence: 1 };

function snapshotOf(prospects: readonly SiteProspect[]): Snapshot {
  const ledger = new Ledger();
  const sites = prospects.map((prospect) => {
    const facts = siteFacts(siteOf(prospect), stateOf(prospect.name));
    if (facts.state) ledger.setCapacity(facts.name, facts.state.capacity);
    return facts;
  });
  return { sites: sites.toSorted((a, b) => (a.name < b.name ? -1 : 1)), ledger };
}

function siteOf({ name, lat, lon, jurisdictions, costPerMonth, egressGiB, rttMs }: SiteProspect): Site {
  const prices: Prices = { cpuCoreMonth: costPerMonth, memoryGiBMonth: 0, egressGiB, gpuMonth: 0 };
  return {
    name,
    kind: 'region',
    location: { lat, lon },
    jurisdictions: [...jurisdictions],
    provider: 'own',
    prices,
    labels: {},
    rttMs,
    taints: [],
    links: {},
    datasets: [],
    generation: 1,
    account: `A${'A'.repeat(55)}`,
    membership: 'joined',
    cordoned: false,
    ...AT_ONCE,
  };
}

function stateOf(site: string): SiteState {
  return {
    kind: 'SiteState',
    site,
    phase: 'ready',
    since: EPOCH,
    capacity: { shapes: [{ nodes: 1, ...NEED }], drivers: ['mock'] },
    nodes: 1,
    revision: 1,
  };
}

/** A user location, where it is served, and how near. */
interface Visit {
  /** Index of the site. */
  readonly site: number;
  readonly weight: number;
  readonly ms: number;
  readonly measured: boolean;
}

function advisedOf(request: AdviceRequest, users: Users, index: SiteIndex, decision: Decision): Advised {
  const opened = decision.shares.flatMap(({ site }) => index.ordinal(site) ?? []).toSorted((a, b) => a - b);
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
