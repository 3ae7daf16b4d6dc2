import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import type { Placement, PlacementsValue, Site, Workload } from '@skerry/contracts';

/** What was decided: workloads, placements and sites as their owners keep them, followed by every instance. */
@Injectable()
export class WantedStore {
  private readonly workloads = new Map<string, Workload>();
  private readonly placements = new Map<string, Placement>();
  private readonly sites = new Map<string, Site>();
  private readonly byAccount = new Map<string, Site>();
  /** How many placements name a site. */
  private readonly shares = new Map<string, number>();
  /** How many wait for its end (`Placement.after`). */
  private readonly awaited = new Map<string, number>();

  private changed: (key?: string) => void = () => undefined;

  /** Called with the key of each workload that is another or is placed otherwise, and without when a site is another. */
  onChange(listener: (key?: string) => void): void {
    this.changed = listener;
  }

  applyWorkload(change: BucketChange<Workload>): void {
    if (change.kind === 'put') this.workloads.set(change.key, change.value);
    else if (change.kind === 'gone') this.workloads.delete(change.key);
    this.changed(change.key);
  }

  applyPlacement(change: BucketChange<PlacementsValue>): void {
    const before = this.placements.get(change.key);
    if (change.kind === 'put' && change.value.kind === 'Placement')
      this.placements.set(change.key, change.value);
    else if (change.kind === 'gone') this.placements.delete(change.key);
    else return;
    this.count(before, -1);
    this.count(this.placements.get(change.key), 1);
    this.changed(change.key);
  }

  /** Returns the keys of the workloads that the change of this site matters to. */
  applySite(change: BucketChange<Site>): string[] {
    if (change.kind !== 'put') return [];
    const site = change.value;
    const before = this.sites.get(site.name);
    this.sites.set(site.name, site);
    this.byAccount.set(site.account, site);
    this.changed();
    return before?.membership === site.membership ? [] : this.keysAt(site.name);
  }

  placement(key: string): Placement | undefined {
    return this.placements.get(key);
  }

  workload(key: string): Workload | undefined {
    return this.workloads.get(key);
  }

  keys(): string[] {
    return [...this.placements.keys()];
  }

  /** Sites that were ever named. */
  allSites(): Site[] {
    return [...this.sites.values()];
  }

  ofAccount(account: string | undefined): Site | undefined {
    return account === undefined ? undefined : this.byAccount.get(account);
  }

  site(name: string): Site | undefined {
    return this.sites.get(name);
  }

  mayReceive(site: string): boolean {
    const membership = this.sites.get(site)?.membership;
    return membership === 'joined' || membership === 'leaving';
  }

  sharesAt(site: string): number {
    return this.shares.get(site) ?? 0;
  }

  private keysAt(site: string): string[] {
    if (this.sharesAt(site) === 0 && (this.awaited.get(site) ?? 0) === 0) return [];
    const names = ({ shares, after }: Placement) =>
      shares.some((s) => s.site === site) || after?.includes(site) === true;
    return [...this.placements].filter(([, placement]) => names(placement)).map(([key]) => key);
  }

  private count(placement: Placement | undefined, by: number): void {
    for (const { site } of placement?.shares ?? []) this.shares.set(site, this.sharesAt(site) + by);
    for (const site of placement?.after ?? []) this.awaited.set(site, (this.awaited.get(site) ?? 0) + by);
  }
}
