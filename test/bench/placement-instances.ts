import {
  DEFAULT_WEIGHTS,
  distanceKm,
  estimatedRttMs,
  positionOf,
  type PlaceRequest,
  type Snapshot,
} from '@skerry/domain';
import { largestCities, regions, type City } from './placement-cities.js';
import { cloudOf, requestOf, seeded, siteOf, workloadOf, type SiteOf } from './placement-cloud.js';
import type { ExactProblem } from './placement-exact.js';

/** One decision to make, and the same as numbers: the objective written down a second time, apart from the engine. */
export interface Instance {
  readonly name: string;
  readonly request: PlaceRequest;
  readonly snapshot: Snapshot;
  readonly problem: ExactProblem;
  readonly sites: readonly InstanceSite[];
  /** Round trip in ms from a user location to a site. */
  ms(site: number, point: number): number;
}

export interface InstanceSite extends SiteOf {
  readonly country: string;
}

/** What an instance has besides users and sites. */
export interface Variant {
  readonly name: string;
  readonly prices?: boolean;
  readonly capacities?: boolean;
  readonly residency?: boolean;
}

export const VARIANTS: readonly Variant[] = [
  { name: 'latency alone' },
  { name: 'prices', prices: true },
  { name: 'capacities', capacities: true },
  { name: 'residency', residency: true },
  { name: 'prices, capacities, residency', prices: true, capacities: true, residency: true },
];

/** User locations of the two families. */
export const REGION_USERS = 200;
export const CITY_USERS = 60;
export const CITY_SITES = 200;
const HEADROOM = 1.5;
const EGRESS_GIB_MONTH = 500;
const ROOMY_NODES = 64;
/** Who may not have the data in the variants with residency: about a third of the largest cities. */
const DENIED = ['cn', 'in', 'br'];

/** The twelve regions with their measured round trips; users: the largest cities, each by way of the region next to it. */
export function regionInstances(root: string, replicas: readonly number[]): Instance[] {
  const all = regions(root);
  const users = largestCities(REGION_USERS);
  const position = all.map(positionOf);
  const ms = users.map((city) => {
    const way = position.map((p) => distanceKm(p, positionOf(city)));
    const next = way.indexOf(Math.min(...way));
    const local = estimatedRttMs(way[next] ?? 0);
    return all.map((to, i) => local + (i === next ? 0 : (all[next]?.rttMs[to.id] ?? 0)));
  });
  return VARIANTS.flatMap((variant, v) => {
    const sites = all.map((r): InstanceSite => ({
      ...r,
      jurisdictions: [...r.jurisdictions],
      name: r.id,
      nodes: 1,
      cores: 1,
    }));
    return replicas.map((k) =>
      instanceOf(`12 regions, ${variant.name}, ${k} replicas`, {
        k,
        variant,
        users,
        ms,
        sites: dressed(sites, variant, v),
      }),
    );
  });
}

/** The largest cities as sites, with estimated round trips; users: the largest of them. */
export function cityInstances(replicas: readonly number[]): Instance[] {
  const cities = largestCities(CITY_SITES);
  const users = cities.slice(0, CITY_USERS);
  const position = cities.map(positionOf);
  const ms = users.map((_, u) =>
    cities.map((_, i) => estimatedRttMs(distanceKm(position[i] ?? [1, 0, 0], position[u] ?? [1, 0, 0]))),
  );
  return VARIANTS.flatMap((variant, v) => {
    const sites = cities.map(({ country, lat, lon }, i): InstanceSite => ({
      country,
      lat,
      lon,
      nodes: 1,
      cores: 1,
      name: `city-${String(i).padStart(3, '0')}`,
      jurisdictions: [country.toLowerCase()],
    }));
    return replicas.map((k) =>
      instanceOf(`200 cities, ${variant.name}, ${k} replicas`, {
        k,
        variant,
        users,
        ms,
        sites: dressed(sites, variant, 100 + v),
      }),
    );
  });
}

/** Prices of 10 to 60 a replica and 0.02 to 0.12 a GiB, and nodes for one or two replicas, as the variant says. */
function dressed(sites: readonly InstanceSite[], variant: Variant, seed: number): InstanceSite[] {
  const random = seeded(seed);
  return sites.map((site) => {
    const [running, egress, room] = [random(), random(), random()];
    return {
      ...site,
      ...(variant.prices ? { cpuCoreMonth: 10 + 50 * running, egressGiB: 0.02 + 0.1 * egress } : {}),
      nodes: variant.capacities ? 1 + Math.floor(2 * room) : ROOMY_NODES,
    };
  });
}

interface Made {
  readonly k: number;
  readonly variant: Variant;
  readonly users: readonly City[];
  readonly sites: readonly InstanceSite[];
  /** By user location, then by site. */
  readonly ms: readonly (readonly number[])[];
}

function instanceOf(name: string, made: Made): Instance {
  const { k, variant, users, sites, ms } = made;
  const workload = workloadOf({
    name: 'web',
    users: users.map(({ lat, lon, population }) => ({ lat, lon, weight: population })),
    rules: {
      replicas: k,
      traffic: { egressGiBMonth: variant.prices ? EGRESS_GIB_MONTH : 0, headroom: HEADROOM },
      ...(variant.residency ? { residency: { deny: DENIED } } : {}),
    },
  });
  const measuredMs = ms.map((row) => new Map(row.map((value, i) => [sites[i]?.name ?? '', value])));
  return {
    name,
    request: requestOf(workload, { measuredMs }),
    snapshot: cloudOf(sites.map(siteOf)),
    problem: problemOf(
      made,
      workload.demand.map((d) => d.weight),
    ),
    sites,
    ms: (site, point) => ms[point]?.[site] ?? 0,
  };
}

/** The objective and the ceilings by their definition (README.md), for one core a replica and nodes of one core. */
function problemOf({ k, variant, sites, ms }: Made, weights: readonly number[]): ExactProblem {
  const w = DEFAULT_WEIGHTS;
  const egress = variant.prices ? EGRESS_GIB_MONTH : 0;
  return {
    sites: sites.map((s) => s.name),
    ceilings: sites.map((s) => {
      const denied = variant.residency && s.jurisdictions?.some((j) => DENIED.includes(j));
      return denied ? 0 : s.nodes;
    }),
    marginal: (i, nth) =>
      w.perPrice * (sites[i]?.cpuCoreMonth ?? 0) +
      (w.perUse / k) * (nth / (sites[i]?.nodes ?? 1)) +
      (w.perConcentration * (2 * nth - 1)) / (k * k),
    pair: (i, p) =>
      (weights[p] ?? 0) *
      (w.perLatencyMs * (ms[p]?.[i] ?? 0) + w.perPrice * egress * (sites[i]?.egressGiB ?? 0)),
    weights,
    replicaCapacity: HEADROOM / k,
    least: k,
    most: k,
    constant: 0,
  };
}
