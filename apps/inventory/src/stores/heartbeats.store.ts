import { Inject, Injectable } from '@nestjs/common';
import type { SiteState } from '@skerry/contracts';
import { SINGLETON_LEASE, type HeardFacts } from '@skerry/domain';
import { CONFIG } from '@skerry/service';
import type { InventoryConfig } from '../config.js';
import { Leases } from './leases.js';

interface Heard {
  /** Monotonic ms. */
  at: number;
  facts: HeardFacts;
}

/** What each site's newest heartbeat said, and when it was heard by this process's monotonic clock. In memory only. */
@Injectable()
export class HeartbeatsStore {
  /** What was said to their pings. */
  readonly leases = new Leases();
  private readonly newest = new Map<string, Heard>();
  private term: number;

  constructor(@Inject(CONFIG) { hubTerm }: InventoryConfig) {
    this.term = hubTerm;
  }

  /** Losses that every site counts from: above all that were told before the hub was restored from a backup. */
  get leastLosses(): number {
    return (this.term - 1) * SINGLETON_LEASE.perTerm;
  }

  /** The hub's term, as a restore has left it. */
  sawTerm(term: number): void {
    this.term = Math.max(this.term, term);
  }

  note(site: string, at: number, facts: HeardFacts): void {
    this.newest.set(site, { at, facts });
  }

  at(site: string): number | undefined {
    return this.newest.get(site)?.at;
  }

  facts(site: string): HeardFacts | undefined {
    return this.newest.get(site)?.facts;
  }

  /** When each site was heard last. */
  heard(): ReadonlyMap<string, number> {
    return new Map([...this.newest].map(([site, { at }]) => [site, at]));
  }

  /** What is known of a site that was never heard. */
  static readonly nothing: Pick<SiteState, 'capacity' | 'nodes'> = {
    capacity: { shapes: [], drivers: [] },
    nodes: 0,
  };
}
