import { Injectable } from '@nestjs/common';

/** As every agent writes it: reports are many, and of most only this is wanted. Inside a text the quotes would be escaped. */
const RUNNING = '"phase":"running"';
const NONE: ReadonlyMap<string, number> = new Map();

/** How many replicas of each workload run and are healthy at each site, as the newest report has it. */
@Injectable()
export class HealthStore {
  private readonly known = new Map<string, Map<string, number>>();

  /** Takes the bytes of a report; returns whether the number is another. */
  take(key: string, site: string, report: Uint8Array): boolean {
    const healthy = occurrences(report);
    const bySite = this.known.get(key);
    if ((bySite?.get(site) ?? 0) === healthy) return false;
    if (healthy > 0) this.known.set(key, (bySite ?? new Map<string, number>()).set(site, healthy));
    else bySite?.delete(site);
    if (bySite?.size === 0) this.known.delete(key);
    return true;
  }

  /** By site; sites without any are not there. */
  of(key: string): ReadonlyMap<string, number> {
    return this.known.get(key) ?? NONE;
  }
}

function occurrences(report: Uint8Array): number {
  const bytes = Buffer.from(report.buffer, report.byteOffset, report.byteLength);
  let found = 0;
  for (let at = bytes.indexOf(RUNNING); at >= 0; at = bytes.indexOf(RUNNING, at + RUNNING.length)) found += 1;
  return found;
}
