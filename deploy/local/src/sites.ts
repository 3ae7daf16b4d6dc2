import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, siteDescriptionSchema, type SiteDescription } from '@skerry/contracts';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';

const sitesFileSchema = z.strictObject({ sites: z.array(siteDescriptionSchema).min(1).max(64) });
const EARTH_RADIUS_KM = 6_371;
/** Light in fibre covers 200 km in a millisecond, and cables are half as long again as the great circle. */
const MS_PER_KM_RTT = (2 / 200) * 1.5;

/** The sites of `deploy/examples`, with the measured round trips between the regions among them. */
export async function exampleSites(examples: string): Promise<SiteDescription[]> {
  const file = join(examples, 'sites.yaml');
  const parsed = parse(sitesFileSchema, parseYaml(await readFile(file, 'utf8')));
  if (!parsed.ok)
    throw new Error(
      `${file}: ${parsed.issues.map((i) => `${i.path} ${i.problem} (${i.allowed ?? ''})`).join('; ')}`,
    );
  const rtt = await measuredRoundTrips(join(examples, 'rtt.csv'));
  return parsed.value.sites.map((site) => ({ ...site, rttMs: { ...rtt.get(site.name), ...site.rttMs } }));
}

/** Reads `from,to,rtt_ms` lines: round trips by region, in ms. */
export async function measuredRoundTrips(path: string): Promise<Map<string, Record<string, number>>> {
  const [, ...lines] = (await readFile(path, 'utf8')).trim().split('\n');
  const table = new Map<string, Record<string, number>>();
  for (const line of lines) {
    const [from = '', to = '', ms = ''] = line.trim().split(',');
    if (!Number.isFinite(Number(ms)) || ms === '')
      throw new Error(`${path}: not a round trip: ${line.slice(0, 100)}`);
    table.set(from, { ...table.get(from), [to]: Number(ms) });
  }
  return table;
}

/** Round trip between the hub, which stands at `hub`, and a site: measured where it is, else estimated from coordinates. */
export function roundTripFromHub(sites: readonly SiteDescription[], hub: string): (site: string) => number {
  const at = (name: string) => sites.find((s) => s.name === name);
  return (name) => {
    const [from, to] = [at(hub), at(name)];
    if (from === undefined || to === undefined || from === to) return 0;
    return from.rttMs[name] ?? Math.max(1, Math.round(distanceKm(from, to) * MS_PER_KM_RTT));
  };
}

function distanceKm(a: SiteDescription, b: SiteDescription): number {
  const rad = (degrees: number) => (degrees * Math.PI) / 180;
  const [p, q] = [rad(a.location.lat), rad(b.location.lat)];
  const h =
    Math.sin((q - p) / 2) ** 2 +
    Math.cos(p) * Math.cos(q) * Math.sin(rad(b.location.lon - a.location.lon) / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(h));
}
