import { type DemandPoint, type Issue, LIMITS } from '@skerry/contracts';
import { type CsvLine, CsvTable } from './csv-table.js';
import { PLACE_COLUMNS, type Places } from './places.js';
import type { SiteLine } from './site-table.js';

const WEIGHT_MAX = 1e12;
/** Points that a country is seen as: its largest cities; fewer in a long table. */
const POINTS_PER_COUNTRY = 20;
const COLUMNS = {
  name: ['id', 'user', 'users', 'label', 'site', 'region'],
  ...PLACE_COLUMNS,
  weight: ['population', 'share', 'requests', 'count'],
} as const;
type Column = keyof typeof COLUMNS;

/** User locations, and what each may be called in a table of round trips. */
export interface UserTable {
  readonly points: readonly DemandPoint[];
  /** By index of point. */
  readonly names: readonly (readonly string[])[];
  readonly unused: readonly string[];
  /** False when the table says nothing of how many there are: each line then counts the same. */
  readonly weighted: boolean;
}

/** Reads where users are: those that only have the name of a site are there. Lines of weight 0 count nothing. Mistakes go to `issues`. */
export function readUsers(
  path: string,
  { places, sites }: { places: Places; sites: readonly SiteLine[] },
  issues: Issue[],
): UserTable {
  const table = CsvTable.read(path, COLUMNS, { maxLines: LIMITS.adviseUsers, limit: 'adviseUsers' }, issues);
  const weighted = table.has('weight');
  const most = Math.max(
    1,
    Math.min(POINTS_PER_COUNTRY, Math.floor(LIMITS.adviseUsers / Math.max(1, table.lines.length))),
  );
  const bySite = new Map(sites.map((site) => [site.name, site]));
  const first = new Map<string, number>();
  const points: DemandPoint[] = [];
  const names: string[][] = [];
  for (const line of table.lines) {
    const called = namesOf(line);
    const [name] = called;
    const before = name === undefined ? undefined : first.get(name);
    if (before !== undefined) line.wrong('', `used before, on line ${before}`, name);
    else if (name !== undefined) first.set(name, line.number);
    const weight = weighted ? weightOf(line) : 1;
    const at = atSite(line, bySite);
    for (const point of at ? [at] : (places.locate(line, most) ?? [])) {
      if (weight === undefined || weight === 0) continue;
      points.push({ ...point, label: name ?? point.label, weight: weight * point.weight });
      names.push(called);
    }
  }
  if (issues.length === 0 && points.length === 0)
    issues.push({ path: table.name, problem: 'no users: every weight is 0' });
  return { points, names, unused: table.unused, weighted };
}

/** The site that a line without a place of its own names. */
function atSite(line: CsvLine<Column>, bySite: ReadonlyMap<string, SiteLine>): DemandPoint | undefined {
  const placed = (['lat', 'lon', 'city', 'country'] as const).some(
    (column) => line.text(column) !== undefined,
  );
  const site = placed ? undefined : bySite.get(line.text('name') ?? '');
  return site && { label: site.name, lat: site.lat, lon: site.lon, weight: 1 };
}

function weightOf(line: CsvLine<Column>): number | undefined {
  if (line.text('weight') === undefined) return line.wrong('weight', 'missing');
  return line.decimal('weight', 0, WEIGHT_MAX);
}

/** Its name, else its city with the country, else its country. In a table of round trips the city alone will do as well. */
function namesOf(line: CsvLine<Column>): string[] {
  const [name, city, country] = [line.text('name'), line.text('city'), line.text('country')];
  const place = city !== undefined && country !== undefined ? `${city}, ${country}` : (city ?? country);
  const all = [name, place, city].filter((text) => text !== undefined);
  return [...new Set(all)];
}
