import { Injectable } from '@nestjs/common';
import { compareVersions, type Version } from '@skerry/contracts';

/** As every agent writes it: reports are many, and of most only this is wanted. Inside a text the quotes would be escaped. */
const RUNNING = '"phase":"running"';
const COMPLETED = '"phase":"completed"';
/** Its own version is the first one in it. */
const TERM = '"term":';
const GENERATION = '"generation":';
const REVISION = '"revision":';
const LOSSES = '"losses":';
const NONE: ReadonlyMap<string, Told> = new Map();

/** What the newest report of a site says of a workload. */
export interface Told {
  readonly running: number;
  readonly completed: number;
  /** Of the assignment that it is about. */
  readonly version: Version;
  /** How many losses of the site it knew of: it was made after the site's return from that many. */
  readonly losses: number;
}

/** How many replicas of each workload run and are healthy, or have completed, at each site, as the newest report has it. */
@Injectable()
export class HealthStore {
  private readonly known = new Map<string, Map<string, Told>>();

  /** Takes the bytes of a report; returns whether it says something else than the one before. */
  take(key: string, site: string, report: Uint8Array): boolean {
    const bytes = Buffer.from(report.buffer, report.byteOffset, report.byteLength);
    const told = {
      running: occurrences(bytes, RUNNING),
      completed: occurrences(bytes, COMPLETED),
      version: {
        term: numberAfter(bytes, TERM),
        generation: numberAfter(bytes, GENERATION),
        revision: numberAfter(bytes, REVISION),
      },
      losses: numberAfter(bytes, LOSSES),
    };
    const bySite = this.known.get(key);
    const before = bySite?.get(site);
    const nothing = told.running === 0 && told.completed === 0;
    if (before === undefined && nothing) return false;
    if (nothing) bySite?.delete(site);
    else this.known.set(key, (bySite ?? new Map<string, Told>()).set(site, told));
    if (bySite?.size === 0) this.known.delete(key);
    return before === undefined || nothing || !same(before, told);
  }

  /** Something is placed at a site where nothing was: what the site said of anything older tells nothing of that. */
  begins(key: string, site: string, version: Version): void {
    const bySite = this.known.get(key);
    const told = bySite?.get(site);
    if (bySite === undefined || told === undefined || compareVersions(told.version, version) >= 0) return;
    // What has completed has.
    if (told.completed > 0) bySite.set(site, { ...told, running: 0 });
    else bySite.delete(site);
    if (bySite.size === 0) this.known.delete(key);
  }

  /** By site; sites with nothing are not there. */
  of(key: string): ReadonlyMap<string, Told> {
    return this.known.get(key) ?? NONE;
  }
}

function same(a: Told, b: Told): boolean {
  return (
    a.running === b.running &&
    a.completed === b.completed &&
    a.version.generation === b.version.generation &&
    a.losses === b.losses
  );
}

function occurrences(bytes: Buffer, text: string): number {
  let found = 0;
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + text.length)) found += 1;
  return found;
}

/** The number after a text; 0 without it. */
function numberAfter(bytes: Buffer, text: string): number {
  const at = bytes.indexOf(text);
  const digits =
    at < 0 ? undefined : /^\d{1,9}/.exec(bytes.toString('latin1', at + text.length, at + text.length + 9));
  return Number(digits?.[0] ?? 0);
}
