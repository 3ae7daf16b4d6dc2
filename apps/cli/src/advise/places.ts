import type { DemandPoint } from '@skerry/contracts';
import { countrySchema } from '@skerry/contracts';
import { Gazetteer } from '@skerry/gazetteer';
import type { CsvLine } from './csv-table.js';

/** Columns that say where something is. */
export const PLACE_COLUMNS = {
  lat: ['latitude'],
  lon: ['lng', 'long', 'longitude'],
  city: ['town'],
  country: ['countrycode', 'cc'],
} as const;
export type PlaceColumn = keyof typeof PLACE_COLUMNS;

/** Unknown names that are looked up for what may have been meant: each costs some 50 ms. */
const UNKNOWN_OFFERED = 20;

/** Finds where the lines of tables are, by coordinates, else by city, else by country. */
export class Places {
  private readonly gazetteer = new Gazetteer();
  private unknown = 0;

  /** Points whose weights add up to 1: one, or for a country at most `most`. Undefined when the line is wrong, and that is noted. */
  locate<Name extends string>(
    line: CsvLine<Name | PlaceColumn>,
    most: number,
  ): readonly DemandPoint[] | undefined {
    const [lat, lon] = [line.decimal('lat', -90, 90), line.decimal('lon', -180, 180)];
    const country = this.country(line);
    const city = line.text('city');
    if (lat !== undefined && lon !== undefined) return [{ label: `${lat}, ${lon}`, lat, lon, weight: 1 }];
    if (line.text('lat') !== undefined && line.text('lon') !== undefined) return undefined;
    if (lat !== undefined || lon !== undefined) return line.wrong('lat', 'lat and lon are given together');
    if (city !== undefined || country !== undefined) return this.named(line, { city, country }, most);
    if (line.text('country') !== undefined) return undefined;
    return line.wrong('', 'names no place', undefined, 'lat and lon, or a city, or a country');
  }

  private country<Name extends string>(line: CsvLine<Name | PlaceColumn>): string | undefined {
    const text = line.text('country');
    if (text === undefined) return undefined;
    const parsed = countrySchema.safeParse(text.toUpperCase());
    return parsed.success
      ? parsed.data
      : line.wrong('country', 'unknown country', text, 'an ISO 3166 code such as DE');
  }

  private named<Name extends string>(
    line: CsvLine<Name | PlaceColumn>,
    place: { city: string | undefined; country: string | undefined },
    most: number,
  ): readonly DemandPoint[] | undefined {
    if (this.unknown >= UNKNOWN_OFFERED) {
      return line.wrong('', 'not looked up', undefined, 'mend the unknown places before this one first');
    }
    const { city, country } = place;
    const group = { ...(city === undefined ? {} : { city }), ...(country === undefined ? {} : { country }) };
    const located = this.gazetteer.locate({ ...group, weight: 1 }, most);
    if (located.ok) return located.points;
    this.unknown += 1;
    return line.wrong(located.field, located.problem, line.text(located.field), located.allowed);
  }
}
