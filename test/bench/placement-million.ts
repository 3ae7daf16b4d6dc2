import { lint, place, type Ledger, type PlaceRequest, type Snapshot } from '@skerry/domain';
import { largestCities, type City } from './placement-cities.js';
import { cloudOf, requestOf, seeded, siteOf, workloadOf } from './placement-cloud.js';
import type { Report } from './report.js';

const SITES = 10_000;
const WORKLOADS = 10_000;
const REPLICAS = 100;
/** User locations of one workload. */
const USERS = 40;
/** Of ten workloads, how many have users in one part of the world only, and how many may be in some jurisdictions only. */
const REGIONAL_OF_TEN = 5;
const RESIDENT_OF_TEN = 3;
const REGION_KM_RADIANS = 0.25;
const CPU_MILLICORES = [100, 200, 250, 500] as const;
/** Where the data of a workload with residency may be; each has some hundred sites. */
const RESIDENCY = [
  ['us'],
  ['in'],
  ['br'],
  ['cn', 'hk'],
  ['de', 'fr', 'it', 'es', 'pl', 'nl'],
  ['jp', 'kr', 'tw'],
];
const QUICK_DIVISOR = 20;

/**
 * A million replicas of 10,000 workloads over 10,000 sites, from nothing, one decision after the other, each on what those
 * before it took. Sites: the largest cities, with prices and nodes of their own. Every decision is linted at the end against
 * all that is placed then; a broken rule or a replica left over fails the benchmark. `quick`: a twentieth of the workloads.
 */
export async function million(report: Report, { quick }: { quick: boolean }): Promise<void> {
  const cities = largestCities(SITES);
  const snapshot = cloudOf(citySites(cities));
  const workloads = Math.floor(WORKLOADS / (quick ? QUICK_DIVISOR : 1));
  const requests = requestsOf(cities, workloads);
  const cpu = process.cpuUsage();
  const began = performance.now();
  const placed = placeAll(requests, snapshot);
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const rssMiB = process.resourceUsage().maxRSS / 1_024;
  report.add('placement.million_replicas_s', seconds, 's');
  report.add('placement.million_replicas_cpu_s', (user + system) / 1e6, 's');
  report.add('placement.million_replicas_rss_mib', rssMiB, 'MiB');
  verify(placed, snapshot);
  report.say(
    `  ${placed.length * REPLICAS} replicas of ${placed.length} workloads over ${SITES} sites; every decision holds at the end`,
  );
}

interface Placed {
  readonly request: PlaceRequest;
  readonly decision: ReturnType<typeof place>;
}

function placeAll(requests: readonly PlaceRequest[], snapshot: Snapshot & { ledger: Ledger }): Placed[] {
  return requests.map((request) => {
    const decision = place(request, snapshot);
    const { project, name, spec } = request.workload;
    snapshot.ledger.hold(`${project}.${name}`, spec.resources, decision.shares);
    return { request, decision };
  });
}

/** As the scheduler would ask again: with what each workload holds as its own. */
function verify(placed: readonly Placed[], snapshot: Snapshot & { ledger: Ledger }): void {
  for (const { request, decision } of placed) {
    const present = new Map(decision.shares.map((s) => [s.site, s.replicas]));
    const [broken] = lint(decision, { ...request, present }, snapshot);
    if (broken) throw new Error(`${request.workload.name} breaks ${broken.invariant}: ${broken.detail}`);
    const replicas = decision.shares.reduce((sum, s) => sum + s.replicas, 0);
    if (replicas !== REPLICAS)
      throw new Error(`${request.workload.name}: ${replicas} of ${REPLICAS} are placed`);
  }
  const overfull = snapshot.sites.find((s) => snapshot.ledger.overfull(s.name));
  if (overfull) throw new Error(`${overfull.name} holds more than its nodes can take`);
}

/** About 600,000 cores, of which the replicas need 260,000: near the users it becomes tight. */
function citySites(cities: readonly City[]) {
  const random = seeded(1);
  return cities.map(({ lat, lon, country }, i) =>
    siteOf({
      name: `site-${String(i).padStart(5, '0')}`,
      lat,
      lon,
      jurisdictions: [country.toLowerCase()],
      cpuCoreMonth: 10 + 20 * random(),
      provider: `provider-${Math.floor(8 * random())}`,
      nodes: 2 + Math.floor(12 * random()),
      cores: 8,
    }),
  );
}

function requestsOf(cities: readonly City[], workloads: number): PlaceRequest[] {
  const random = seeded(2);
  const draw = drawByPopulation(cities, random);
  return Array.from({ length: workloads }, (_, i) => {
    const center = random() * 10 < REGIONAL_OF_TEN ? draw() : undefined;
    const users = new Set<City>();
    for (let tries = 0; users.size < USERS && tries < 100 * USERS; tries += 1) {
      const city = draw();
      if (!center || near(center, city)) users.add(city);
    }
    const resident = random() * 10 < RESIDENT_OF_TEN;
    const allow = RESIDENCY[Math.floor(random() * RESIDENCY.length)];
    return requestOf(
      workloadOf({
        name: `web-${i}`,
        users: [...users].map((c) => ({ lat: c.lat, lon: c.lon, weight: c.population })),
        cpuMillicores: CPU_MILLICORES[Math.floor(random() * CPU_MILLICORES.length)] ?? 250,
        memoryMiB: 512,
        rules: { replicas: REPLICAS, ...(resident && allow ? { residency: { allow } } : {}) },
      }),
    );
  });
}

/** Within about 1,600 km. */
function near(a: City, b: City): boolean {
  const [dLat, dLon] = [a.lat - b.lat, (a.lon - b.lon) * Math.cos((a.lat * Math.PI) / 180)];
  return Math.hypot(dLat, dLon) * (Math.PI / 180) < REGION_KM_RADIANS;
}

function drawByPopulation(cities: readonly City[], random: () => number): () => City {
  const until: number[] = [];
  let sum = 0;
  for (const { population } of cities) until.push((sum += population));
  return () => {
    const at = random() * sum;
    let [low, high] = [0, until.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((until[middle] ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    const city = cities[low];
    if (!city) throw new Error('there are no cities');
    return city;
  };
}
