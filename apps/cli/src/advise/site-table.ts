import { type Issue, jurisdictionSchema, LIMITS } from '@skerry/contracts';
import { type CsvLine, CsvTable } from './csv-table.js';
import { PLACE_COLUMNS, type Places } from './places.js';

const PRICE_MAX = 1e9;
const COLUMNS = {
  name: ['id', 'site'],
  ...PLACE_COLUMNS,
  jurisdictions: ['jurisdiction', 'law'],
  /** Of the whole site, in currency units. */
  pricePerMonth: ['price', 'priceMonth', 'cost', 'costPerMonth'],
  cpuCoreMonth: ['cpuCorePerMonth'],
  memoryGiBMonth: ['memoryGiBPerMonth'],
  egressGiB: ['egressPerGiB'],
} as const;
type Column = keyof typeof COLUMNS;

/** A line of the table of sites. */
export interface SiteLine {
  readonly name: string;
  readonly lat: number;
  readonly lon: number;
  readonly jurisdictions: readonly string[];
  /** Currency units a month: of the whole site, of a core, of a GiB of memory; and for a GiB sent to users. */
  readonly pricePerMonth: number;
  readonly cpuCoreMonth: number;
  readonly memoryGiBMonth: number;
  readonly egressGiB: number;
}

/** Reads the places where sites could be opened. Mistakes go to `issues`; unused columns are named. */
export function readSites(
  path: string,
  places: Places,
  issues: Issue[],
): { sites: SiteLine[]; unused: readonly string[] } {
  const table = CsvTable.read(path, COLUMNS, { maxLines: LIMITS.adviseSites, limit: 'adviseSites' }, issues);
  if (!table.needs(['name'], issues)) return { sites: [], unused: table.unused };
  const first = new Map<string, number>();
  const sites = table.lines.flatMap((line) => {
    const site = siteOf(line, places);
    const name = line.text('name');
    if (name === undefined) return [];
    const before = first.get(name);
    if (before !== undefined) line.wrong('name', `used before, on line ${before}`, name);
    first.set(name, before ?? line.number);
    return site ? [site] : [];
  });
  return { sites, unused: table.unused };
}

function siteOf(line: CsvLine<Column>, places: Places): SiteLine | undefined {
  const name = line.text('name');
  if (name === undefined) line.wrong('name', 'missing');
  const [point, ...more] = places.locate(line, 2) ?? [];
  if (more.length > 0)
    line.wrong('city', 'missing', undefined, 'a city, or lat and lon: a site is not a whole country');
  const price = (column: Column) => line.decimal(column, 0, PRICE_MAX) ?? 0;
  const rest = {
    jurisdictions: jurisdictionsOf(line),
    pricePerMonth: price('pricePerMonth'),
    cpuCoreMonth: price('cpuCoreMonth'),
    memoryGiBMonth: price('memoryGiBMonth'),
    egressGiB: price('egressGiB'),
  };
  if (name === undefined || point === undefined) return undefined;
  return { name, lat: point.lat, lon: point.lon, ...rest };
}

/** `eu|eea`: joined by bars, or by blanks or semicolons. */
function jurisdictionsOf(line: CsvLine<Column>): string[] {
  const names = (line.text('jurisdictions') ?? '').split(/[|;\s]+/).filter((name) => name !== '');
  for (const name of names) {
    if (!jurisdictionSchema.safeParse(name).success)
      line.wrong('jurisdictions', 'not allowed', name, 'a jurisdiction such as "eu", several joined by "|"');
  }
  return names;
}
