import { readCities, type CityRecord } from './cities-file.js';

const PLAIN = /^[A-Za-z]+(?: [A-Za-z]+)*$/;

/** A name as it is compared: without accents, case, and marks that people leave out. */
export function folded(name: string): string {
  // Nine names of ten are this plain, and there are 135,000 to fold.
  if (PLAIN.test(name)) return name.toLowerCase();
  return name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/ß/g, 'ss')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

/**
 * Cities by folded name and by country. Names lie in one string, numbers in typed arrays: some 10 MiB for all the cities of
 * the world with at least 1,000 inhabitants.
 */
export class CityTable {
  private readonly cities: CityColumns;
  /** Cities in the order of their folded names. */
  private readonly byName: Uint32Array;

  constructor(file: Uint8Array) {
    const { columns, keys } = columnsOf(file);
    this.cities = columns;
    const order = Uint32Array.from(keys.keys());
    order.sort((a, b) => compare(keys[a] ?? '', keys[b] ?? ''));
    this.byName = order;
  }

  get size(): number {
    return this.byName.length;
  }

  /** Cities whose folded name is `key`, and those where more words follow (`frankfurt` finds `frankfurt am main`). */
  named(key: string): { exact: CityRecord[]; longer: CityRecord[] } {
    const exact: CityRecord[] = [];
    const longer: CityRecord[] = [];
    if (key === '') return { exact, longer };
    for (let at = this.firstFrom(key); at < this.size; at += 1) {
      const city = this.cities.at(this.byName[at] ?? 0);
      const name = folded(city.name);
      if (!name.startsWith(key)) break;
      if (name === key) exact.push(city);
      else if (name[key.length] === ' ') longer.push(city);
    }
    return { exact, longer };
  }

  /** Cities of a country, largest first, at most `most`. */
  ofCountry(country: string, most: number): CityRecord[] {
    const found = this.cities.inCountry(country);
    const larger = (a: number, b: number) => this.cities.population(b) - this.cities.population(a) || a - b;
    return found
      .toSorted(larger)
      .slice(0, most)
      .map((index) => this.cities.at(index));
  }

  /** Every city of at least this many inhabitants. */
  *largerThan(population: number): Iterable<CityRecord> {
    for (let at = 0; at < this.size; at += 1)
      if (this.cities.population(at) >= population) yield this.cities.at(at);
  }

  countries(): string[] {
    return this.cities.countries();
  }

  private firstFrom(key: string): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const name = folded(this.cities.at(this.byName[middle] ?? 0).name);
      if (compare(name, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const NUMBERS = 3;

/** Cities by columns. */
class CityColumns {
  constructor(
    private readonly names: string,
    private readonly nameEnds: Uint32Array,
    private readonly country: Uint16Array,
    private readonly countryNames: readonly string[],
    private readonly numbers: Float64Array,
  ) {}

  at(index: number): CityRecord {
    const start = index === 0 ? 0 : (this.nameEnds[index - 1] ?? 0);
    return {
      name: this.names.slice(start, this.nameEnds[index]),
      country: this.countryNames[this.country[index] ?? 0] ?? '',
      population: this.population(index),
      lat: this.numbers[index * NUMBERS + 1] ?? 0,
      lon: this.numbers[index * NUMBERS + 2] ?? 0,
    };
  }

  population(index: number): number {
    return this.numbers[index * NUMBERS] ?? 0;
  }

  inCountry(country: string): number[] {
    const wanted = this.countryNames.indexOf(country);
    const found: number[] = [];
    for (let index = 0; index < this.country.length; index += 1)
      if (this.country[index] === wanted) found.push(index);
    return found;
  }

  countries(): string[] {
    return this.countryNames.toSorted();
  }
}

function columnsOf(file: Uint8Array): { columns: CityColumns; keys: string[] } {
  const names: string[] = [];
  const keys: string[] = [];
  const nameEnds: number[] = [];
  const countries = new Map<string, number>();
  const country: number[] = [];
  const numbers: number[] = [];
  let end = 0;
  readCities(file, (city) => {
    names.push(city.name);
    keys.push(folded(city.name));
    end += city.name.length;
    nameEnds.push(end);
    const known = countries.get(city.country) ?? countries.size;
    countries.set(city.country, known);
    country.push(known);
    numbers.push(city.population, city.lat, city.lon);
  });
  const columns = new CityColumns(
    names.join(''),
    Uint32Array.from(nameEnds),
    Uint16Array.from(country),
    [...countries.keys()],
    Float64Array.from(numbers),
  );
  return { columns, keys };
}
