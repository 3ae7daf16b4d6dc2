import { ProblemError } from '@skerry/client';
import { ERROR_STATUS, type Issue } from '@skerry/contracts';
import type { AdviceRequest, SiteProspect } from '@skerry/domain';
import { Places } from './places.js';
import { RoundTrips } from './rtt-table.js';
import { readSites, type SiteLine } from './site-table.js';
import { readUsers, type UserTable } from './user-table.js';

/** Mistakes that are shown; the rest is counted. */
const SHOWN_ISSUES = 50;
const NAMED_PLACES = 5;

/** What runs at each site, for prices by core and GiB. */
export interface SiteSize {
  readonly cores: number;
  readonly memoryGiB: number;
}

export interface Tables {
  readonly prospects: SiteProspect[];
  readonly users: AdviceRequest['users'];
  readonly measuredMs: NonNullable<AdviceRequest['measuredMs']>;
  /** What was not used, a sentence each. */
  readonly notes: string[];
}

/** Reads the tables of `skerry advise`. Throws `ProblemError` with every mistake of all of them, by file and line. */
export function readTables(
  paths: { sites: string; users: string; rtt: string | undefined },
  size: SiteSize,
): Tables {
  const issues: Issue[] = [];
  const places = new Places();
  const { sites, unused } = readSites(paths.sites, places, issues);
  const users = readUsers(paths.users, { places, sites }, issues);
  const trips = paths.rtt === undefined ? undefined : RoundTrips.read(paths.rtt, issues);
  const strange = trips === undefined ? [] : strangeTo(trips, sites, users);
  if (trips && issues.length === 0 && strange.length === trips.places().size)
    issues.push({ path: paths.rtt ?? '', problem: 'names no site and no users of the other tables' });
  if (issues.length > 0) throw new ProblemError(problemOf(issues));
  return {
    prospects: sites.map((site) => prospectOf(site, sites, size, trips)),
    users: users.points,
    measuredMs: trips === undefined ? [] : users.names.map((names) => measuredFrom(names, sites, trips)),
    notes: notesOf({ sites: unused, users: users.unused }, users, strange),
  };
}

function prospectOf(
  site: SiteLine,
  sites: readonly SiteLine[],
  { cores, memoryGiB }: SiteSize,
  trips: RoundTrips | undefined,
): SiteProspect {
  const { name, lat, lon, jurisdictions, pricePerMonth, cpuCoreMonth, memoryGiBMonth, egressGiB } = site;
  const rttMs: [string, number][] = [];
  for (const other of trips ? sites : []) {
    const ms = other === site ? undefined : trips?.between(name, other.name);
    if (ms !== undefined) rttMs.push([other.name, ms]);
  }
  const costPerMonth = pricePerMonth + cores * cpuCoreMonth + memoryGiB * memoryGiBMonth;
  return { name, lat, lon, jurisdictions, costPerMonth, egressGiB, rttMs: Object.fromEntries(rttMs) };
}

function measuredFrom(
  names: readonly string[],
  sites: readonly SiteLine[],
  trips: RoundTrips,
): ReadonlyMap<string, number> | undefined {
  const found = new Map<string, number>();
  for (const { name } of sites) {
    const ms = names.map((called) => trips.between(called, name)).find((known) => known !== undefined);
    if (ms !== undefined) found.set(name, ms);
  }
  return found.size === 0 ? undefined : found;
}

/** Places of the round trips that are neither sites nor users. */
function strangeTo(trips: RoundTrips, sites: readonly SiteLine[], users: UserTable): string[] {
  const known = new Set([...sites.map(({ name }) => name), ...users.names.flat()]);
  return [...trips.places()].filter((place) => !known.has(place));
}

function notesOf(
  unused: { sites: readonly string[]; users: readonly string[] },
  users: UserTable,
  strange: readonly string[],
): string[] {
  const notes: string[] = [];
  if (unused.sites.length > 0)
    notes.push(`columns of sites that nothing is read from: ${some(unused.sites)}`);
  if (unused.users.length > 0)
    notes.push(`columns of users that nothing is read from: ${some(unused.users)}`);
  if (!users.weighted) notes.push('users have no column weight or population: each line counts the same');
  if (strange.length > 0)
    notes.push(`round trips of places that are neither site nor users: ${some(strange)}`);
  return notes;
}

function some(names: readonly string[]): string {
  const rest = names.length - NAMED_PLACES;
  return names.slice(0, NAMED_PLACES).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

function problemOf(issues: readonly Issue[]): ProblemError['problem'] {
  const shown = issues.slice(0, SHOWN_ISSUES);
  const rest = issues.length - shown.length;
  return {
    code: 'invalid',
    title: `${issues.length} ${issues.length === 1 ? 'mistake' : 'mistakes'} in the tables`,
    status: ERROR_STATUS.invalid,
    issues: rest > 0 ? [...shown, { path: '…', problem: `and ${rest} more` }] : shown,
    hint: 'mend what is named; the columns are described by `skerry advise --help`',
  };
}
