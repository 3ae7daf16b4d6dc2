import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, BucketChange, Bus } from '@skerry/bus';
import {
  BUCKETS,
  siteStateSchema,
  type PlacementsValue,
  type Share,
  type Site,
  type SiteState,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';

interface KnownState {
  state: SiteState;
  revision: number;
}

/**
 * What is known of each site: what policy says of it (`site-specs`), what the scheduler placed there, and what inventory itself has written
 * (`site-states`: followed by every instance, written by the active one).
 */
@Injectable()
export class SitesStore {
  private readonly bucket: Bucket<SiteState>;
  private readonly specs = new Map<string, Site>();
  private readonly byAccount = new Map<string, Site>();
  private readonly known = new Map<string, KnownState>();
  /** Replicas by site of each workload, by key. */
  private readonly placed = new Map<string, ReadonlyMap<string, number>>();

  private readonly replicas = new Map<string, number>();

  constructor(@Inject(BUS) bus: Bus) {
    this.bucket = bus.bucket(BUCKETS.siteStates, (value) => siteStateSchema.parse(value));
  }

  applySpec(change: BucketChange<Site>): void {
    // Policy never deletes a site, it marks it removed; until then it stays what it was.
    if (change.kind !== 'put') return;
    this.specs.set(change.value.name, change.value);
    this.byAccount.set(change.value.account, change.value);
  }

  applyState(change: BucketChange<SiteState>): void {
    switch (change.kind) {
      case 'put':
        this.learn(change.key, { state: change.value, revision: change.revision });
        return;
      case 'gone':
        this.known.delete(change.key);
        return;
      case 'malformed':
        return;
    }
  }

  applyPlacement(change: BucketChange<PlacementsValue>): void {
    if (change.kind === 'malformed') return;
    const shares = change.kind === 'put' && change.value.kind === 'Placement' ? change.value.shares : [];
    this.count(this.placed.get(change.key), -1);
    if (shares.length === 0) this.placed.delete(change.key);
    else this.placed.set(change.key, new Map(shares.map((s) => [s.site, runsThere(s)])));
    this.count(this.placed.get(change.key), 1);
  }

  /** Replicas that are placed at each site. */
  get placedReplicas(): ReadonlyMap<string, number> {
    return this.replicas;
  }

  /** Whether a workload (`<project>.<name>`) is placed at a site. */
  isPlacedAt(site: string, workload: string): boolean {
    return this.placed.get(workload)?.has(site) === true;
  }

  ofAccount(account: string | undefined): Site | undefined {
    return account === undefined ? undefined : this.byAccount.get(account);
  }

  /** Names of the sites that are expected to be heard. */
  members(): string[] {
    return [...this.specs.values()].filter(isMember).map((s) => s.name);
  }

  removed(): string[] {
    return [...this.specs.values()].filter((s) => s.membership === 'removed').map((s) => s.name);
  }

  state(site: string): SiteState | undefined {
    return this.known.get(site)?.state;
  }

  states(): SiteState[] {
    return [...this.known.values()].map((k) => k.state);
  }

  /** Writes by compare-and-set on what is known here; fails with `Conflict` when another instance was faster. */
  async putState(state: SiteState): Promise<void> {
    const revision = await this.bucket.put(state.site, state, this.known.get(state.site)?.revision ?? 0);
    this.learn(state.site, { state, revision });
  }

  private count(shares: ReadonlyMap<string, number> | undefined, by: 1 | -1): void {
    for (const [site, replicas] of shares ?? [])
      this.replicas.set(site, (this.replicas.get(site) ?? 0) + by * replicas);
  }

  /** The follow may still be on its way with what was written here already. */
  private learn(site: string, next: KnownState): void {
    const known = this.known.get(site);
    if (known === undefined || known.revision < next.revision) this.known.set(site, next);
  }
}

/** Whether a site may report and is expected to be heard. */
export function isMember(site: Site): boolean {
  return site.membership === 'joined' || site.membership === 'leaving';
}

/** Replicas of a share that a loss of the site would move: those that wait for its return were moved before. */
function runsThere({ until, replicas }: Share): number {
  return until === 'returned' ? 0 : replicas;
}
