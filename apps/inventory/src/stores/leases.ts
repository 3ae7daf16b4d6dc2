/** Life of the lease by which one instance is the active one. */
const ACTIVE_LEASE_MS = 2_000;

/**
 * The leases that this instance gave to sites (`liveness/lease.ts` of the domain). Only the active instance gives any, and none
 * to a site from when it is declared lost until it is on record that it is back.
 */
export class Leases {
  private active: { since: number; isActive: () => boolean } | undefined;
  private readonly given = new Map<string, number>();
  private readonly refused = new Set<string>();

  /**
   * This instance gives leases from now (monotonic ms) on, as long as `isActive`. An earlier one may have until now, and for the
   * life of its own lease longer: the server's clock, by which that ran out, may have been set.
   */
  begin(now: number, isActive: () => boolean): void {
    this.active = { since: now + ACTIVE_LEASE_MS, isActive };
    this.given.clear();
    this.refused.clear();
  }

  end(): void {
    this.active = undefined;
  }

  /** Whether leases are this instance's to give. */
  get gives(): boolean {
    return this.active?.isActive() === true;
  }

  /** Gives one, unless the site is lost. */
  give(site: string, now: number): boolean {
    if (!this.gives || this.refused.has(site)) return false;
    this.given.set(site, now);
    return true;
  }

  /** Gives the site none from now on, though it may not be on record yet that it is lost. */
  refuse(site: string): void {
    this.refused.add(site);
  }

  /** It is on record that the site is not lost. */
  admit(site: string): void {
    this.refused.delete(site);
  }

  /** No lease was given to the site after this, by this instance or an earlier one; monotonic ms. */
  lastGiven(site: string, now: number): number {
    return Math.max(this.active?.since ?? now, this.given.get(site) ?? 0);
  }
}
