import type { PlaceRequest, SiteFacts } from '@skerry/domain';
import type { City } from './placement-cities.js';
import { requestOf, seeded, siteOf, workloadOf } from './placement-cloud.js';

/** User locations of one workload. */
const USERS = 40;
/** Of ten workloads, how many have users in one part of the world only, and how many may be in some jurisdictions only. */
const REGIONAL_OF_TEN = 5;
const RESIDENT_OF_TEN = 3;
/** About 1,600 km. */
const REGION_RADIANS = 0.25;
const CPU_MILLICORES = [100, 200, 250, 500] as const;
/** Where the data of a workload with residency may be; each has some hundred of the 10,000 largest cities. */
const RESIDENCY = [
  ['us'],
  ['in'],
  ['br'],
  ['cn', 'hk'],
  ['de', 'fr', 'it', 'es', 'pl', 'nl'],
  ['jp', 'kr', 'tw'],
];

/** A site in each city, with a price of its own and 2 to 13 nodes of 8 cores: 60 cores at the mean. */
export function citySites(cities: readonly City[]): SiteFacts[] {
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

/** Workloads with users of their own, drawn by population: half of them regional, three of ten under a residency rule. */
export function requestsOf(cities: readonly City[], workloads: number, replicas: number): PlaceRequest[] {
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
        rules: { replicas, ...(resident && allow ? { residency: { allow } } : {}) },
      }),
    );
  });
}

function near(a: City, b: City): boolean {
  const [dLat, dLon] = [a.lat - b.lat, (a.lon - b.lon) * Math.cos((a.lat * Math.PI) / 180)];
  return Math.hypot(dLat, dLon) * (Math.PI / 180) < REGION_RADIANS;
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
