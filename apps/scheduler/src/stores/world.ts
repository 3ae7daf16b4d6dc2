import { Injectable } from '@nestjs/common';
import type { Placement, Workload } from '@skerry/contracts';
import { Ledger, type NextPlacementInput, type SiteFacts, type Snapshot } from '@skerry/domain';
import { digestOf } from './digest.js';
import { PlacementsStore } from './placements.store.js';
import { RefusalsStore } from './refusals.store.js';
import { SitesStore } from './sites.store.js';
import { keyOf, WorkloadsStore } from './workloads.store.js';

/** Everything a decision looks at, in one place, with the ledger of what is taken where kept in step. */
@Injectable()
export class World {
  readonly ledger = new Ledger();

  constructor(
    readonly workloads: WorkloadsStore,
    readonly sites: SitesStore,
    readonly placements: PlacementsStore,
    readonly refusals: RefusalsStore,
  ) {}

  snapshot(): Snapshot & { sites: readonly SiteFacts[] } {
    return { sites: this.sites.all(), ledger: this.ledger };
  }

  /** What the next decision for a workload is made of. */
  inputFor(workload: Workload, now: number): Omit<NextPlacementInput, 'term' | 'epoch'> {
    const key = keyOf(workload);
    const previous = this.placements.get(key);
    return {
      workload,
      previous,
      refusals: this.refusals.of(key, workload.generation, previous, now),
      snapshot: this.snapshot(),
      now,
      inputs: () => this.digests(workload),
    };
  }

  /** Has the ledger hold what is placed of a workload. Returns whether anything was given back at any site. */
  settle(key: string): boolean {
    const placement = this.placements.get(key);
    const known = this.workloads.get(key);
    const wanted = new Map(placement?.shares.map((s) => [s.site, s.replicas]));
    const freed = this.ledger.heldBy(key).some((h) => h.replicas > (wanted.get(h.site) ?? 0));
    // Without its workload (it comes by another follow) the need is not known: the workload's own coming settles it.
    if (placement && known) this.ledger.hold(key, known.workload.spec.resources, placement.shares);
    else this.ledger.release(key);
    return freed;
  }

  /** Digests of what a decision reads: the workload, and every site with what others hold there. */
  digests(workload: Workload): Placement['inputs'] {
    const key = keyOf(workload);
    const { resources } = workload.spec;
    const sites = this.sites
      .all()
      .map(({ name }) => [name, this.sites.digest(name), this.ledger.use(name, resources, key).taken]);
    return { workload: digestOf(workload), sites: digestOf(sites) };
  }
}
