import { Injectable } from '@nestjs/common';
import type { SiteState } from '@skerry/contracts';
import type { HeardFacts } from '@skerry/domain';
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
