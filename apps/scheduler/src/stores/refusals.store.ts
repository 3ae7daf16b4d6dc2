import { Injectable } from '@nestjs/common';
import {
  compareVersions,
  shareVersion,
  type CheckResult,
  type Observed,
  type Placement,
  type Version,
} from '@skerry/contracts';

interface Refusal {
  readonly version: Version;
  readonly failed: CheckResult;
  /** Refusals in a row of one generation. */
  readonly times: number;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

const HOLD_MS = 10_000;
const HOLD_MAX_MS = 300_000;
const UNTOLD: CheckResult = { check: 'site', ok: false, has: 'no reason given', needs: 'room at the site' };

/**
 * Sites that said no. A refusal counts as a failed check until the site's capacity changes, and at most for 10 s, doubled
 * each time up to 5 min: what stood in the way may have gone without a change of capacity.
 */
@Injectable()
export class RefusalsStore {
  private readonly known = new Map<string, Map<string, Refusal>>();

  /** Takes a report; returns whether it is news: a refusal of a version that was not refused yet. */
  take(key: string, report: Observed, now: number): boolean {
    const bySite = this.known.get(key) ?? new Map<string, Refusal>();
    const before = bySite.get(report.site);
    if (report.state !== 'refused') {
      // What was accepted since is not refused any more. Who accepts that nothing of it is wanted says nothing of that.
      if (report.state === 'accepted' && report.wanted > 0) this.forget(key, report.site);
      return false;
    }
    if (before && compareVersions(report.version, before.version) <= 0) return false;
    const again = before?.version.generation === report.version.generation;
    const times = again ? before.times + 1 : 1;
    const until = now + Math.min(HOLD_MAX_MS, HOLD_MS * 2 ** (times - 1));
    bySite.set(report.site, { version: report.version, failed: report.refusal ?? UNTOLD, times, until });
    this.known.set(key, bySite);
    return true;
  }

  /** What counts now for a generation, given what is placed: a site that was asked again since has not answered yet. */
  of(
    key: string,
    generation: number,
    placement: Placement | undefined,
    now: number,
  ): ReadonlyMap<string, CheckResult> {
    const counting = new Map<string, CheckResult>();
    for (const [site, { version, failed, until }] of this.known.get(key) ?? []) {
      const share = placement?.shares.find((s) => s.site === site);
      const askedAgain =
        placement !== undefined &&
        share !== undefined &&
        compareVersions(version, shareVersion(placement, share)) < 0;
      if (version.generation === generation && until > now && !askedAgain) counting.set(site, failed);
    }
    return counting;
  }

  /** When the first refusal of a workload that counts now runs out; Infinity for none. */
  nextUntil(key: string, now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { until } of this.known.get(key)?.values() ?? [])
      if (until > now) next = Math.min(next, until);
    return next;
  }

  has(key: string, site: string): boolean {
    return this.known.get(key)?.has(site) ?? false;
  }

  /** The site has changed: what it refused may fit now. Returns the workloads that it refused. */
  forgetSite(site: string): string[] {
    const keys: string[] = [];
    for (const [key, bySite] of this.known) if (bySite.has(site)) keys.push(key);
    for (const key of keys) this.forget(key, site);
    return keys;
  }

  forgetWorkload(key: string): void {
    this.known.delete(key);
  }

  private forget(key: string, site: string): void {
    const bySite = this.known.get(key);
    bySite?.delete(site);
    if (bySite?.size === 0) this.known.delete(key);
  }
}
