import {
  workloadSpecSchema,
  type DemandPoint,
  type PlacementRules,
  type Prices,
  type Site,
  type SiteState,
  type Workload,
} from '@skerry/contracts';
import { Ledger } from '../ledger.js';
import { siteFacts } from '../site-facts.js';
import type { PlaceRequest, Snapshot } from '../types.js';
import { DEFAULT_WEIGHTS } from '../weights.js';

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

/** So much that one site could carry all users: a site that is not built yet has the room that is asked of it. */
const NO_LIMIT_HEADROOM = 1_000;

/** The weights of a request, or the engine's own. */
export function weightsOf({ weights }: AdviceRequest): { perLatencyMs: number; perPrice: number } {
  return weights ?? DEFAULT_WEIGHTS;
}

/** The request as the engine takes it: so many replicas, each at a site of its own. */
export function placeRequestOf(request: AdviceRequest, sites: number): PlaceRequest {
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

/** The prospects as sites that are there, empty, with room for one replica each. */
export function snapshotOf(prospects: readonly SiteProspect[]): Snapshot {
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
