import { siteDescriptionSchema, type SiteState } from '@skerry/contracts';
import { siteFacts, type SiteFacts } from '@skerry/domain';
import { largestCities, type City } from './placement-cities.js';
import { cloudOf, NOW, seeded, workloadOf } from './placement-cloud.js';

const AT = new Date(NOW).toISOString();
const KINDS = ['region', 'datacenter', 'colo', 'onprem', 'edge'] as const;
const PROVIDERS = ['own', 'ionos', 'equinix', 'telco', 'campus'];
const EU = new Set(
  'AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE'.split(' '),
);
/** Of a hundred sites. */
const CORDONED_PCT = 2;
const SUSPECT_PCT = 1;
const MEASURED_PCT = 1;
/** Workloads that hold something, of so many sites each. */
const SITES_PER_HOLDER = 25;

/** A fleet as it might be: sites in the largest cities, no two alike, with work on them already. */
export function fleetOf(count: number, seed: number): ReturnType<typeof cloudOf> {
  const random = seeded(seed);
  const cities = largestCities(count);
  const names = cities.map((_, i) => `site-${String(i).padStart(5, '0')}`);
  const sites = cities.map((city, i) => siteIn(city, names, i, random));
  const snapshot = cloudOf(sites);
  for (let n = 0; n < count / SITES_PER_HOLDER; n += 1) {
    const need = { cpuMillicores: 500 * (1 + (n % 4)), memoryMiB: 1_024 * (1 + (n % 3)), diskMiB: 1_024 };
    const shares = Array.from({ length: 20 }, (_, k) => names[(n * 20 + k * 37) % count] ?? '');
    snapshot.ledger.hold(
      `bench.held-${n}`,
      need,
      [...new Set(shares)].map((site) => ({ site, replicas: 1 + Math.floor(random() * 3) })),
    );
  }
  return snapshot;
}

function siteIn(city: City, names: readonly string[], i: number, random: () => number): SiteFacts {
  const kind = KINDS[Math.floor(random() * KINDS.length)] ?? 'edge';
  const measured = random() * 100 < MEASURED_PCT ? 8 : 0;
  const description = siteDescriptionSchema.parse({
    name: names[i],
    kind,
    location: { lat: city.lat, lon: city.lon, city: city.name, country: city.country },
    jurisdictions: EU.has(city.country) ? [city.country.toLowerCase(), 'eu'] : [city.country.toLowerCase()],
    provider: PROVIDERS[Math.floor(random() * PROVIDERS.length)],
    prices: {
      cpuCoreMonth: Math.round((10 + 30 * random()) * 100) / 100,
      memoryGiBMonth: Math.round((1 + 4 * random()) * 100) / 100,
      egressGiB: Math.round(random() * 9) / 100,
    },
    labels: { tier: random() < 0.8 ? 'gold' : 'basic', os: random() < 0.9 ? 'linux' : 'other' },
    rttMs: Object.fromEntries(
      Array.from({ length: measured }, () => [
        names[Math.floor(random() * names.length)] ?? '',
        Math.round(10 + 200 * random()),
      ]),
    ),
    taints: random() < 0.05 ? [{ key: 'dedicated', value: 'other', effect: 'no-new' }] : [],
    bandwidthMbps: 1_000,
  });
  const site = {
    ...description,
    generation: 1,
    account: `A${'A'.repeat(55)}`,
    membership: 'joined' as const,
    cordoned: random() * 100 < CORDONED_PCT,
    createdAt: AT,
    updatedAt: AT,
    commandSequence: 1,
  };
  return siteFacts(site, stateOf(description.name, random));
}

function stateOf(site: string, random: () => number): SiteState {
  const size = 1 + Math.floor(random() * 3);
  const shapes = Array.from({ length: size }, (_, n) => ({
    nodes: 1 + Math.floor(random() * 4),
    cpuMillicores: 4_000 * (n + 1),
    memoryMiB: 16_384 * (n + 1),
    diskMiB: 200_000,
  }));
  return {
    kind: 'SiteState',
    site,
    phase: random() * 100 < SUSPECT_PCT ? 'suspect' : 'ready',
    since: AT,
    lastHeartbeatAt: AT,
    capacity: { shapes, drivers: ['process', 'mock'] },
    nodes: shapes.reduce((sum, s) => sum + s.nodes, 0),
    revision: 1,
  };
}

/** A workload that nothing is known of yet: its users are cities drawn by population, shaken by up to half a degree. */
export function freshWorkload(n: number, of: { replicas: number; users: number }, cities: readonly City[]) {
  const random = seeded(1_000_003 * (n + 1));
  const users = Array.from({ length: of.users }, () => {
    const city = cities[Math.floor(random() ** 2 * cities.length)] ?? { lat: 0, lon: 0, population: 1 };
    return {
      lat: Math.max(-89, Math.min(89, city.lat + random() - 0.5)),
      lon: Math.max(-180, Math.min(180, city.lon + random() - 0.5)),
      weight: 1_000 + city.population * random(),
    };
  });
  return workloadOf({
    name: `fresh-${n}`,
    rules: {
      replicas: of.replicas,
      sites: { required: { os: 'linux' }, preferred: { tier: 'gold' } },
      residency: { deny: [['cn', 'ru', 'us', 'in'][n % 4] ?? 'cn'] },
      traffic: { egressGiBMonth: 100 },
    },
    users,
    cpuMillicores: 500 * (1 + (n % 6)),
    memoryMiB: 512 * (1 + (n % 5)),
  });
}
