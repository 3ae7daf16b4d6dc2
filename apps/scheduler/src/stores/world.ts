import { Injectable } from '@nestjs/common';
import type { Placement, Workload } from '@skerry/contracts';
import {
  type Ledger,
  type NextPlacementInput,
  type Running,
  type SiteFacts,
  type Snapshot,
} from '@skerry/domain';
import { digestOf } from './digest.js';
import { HoldingsStore, type Holder } from './holdings.store.js';
import { PlacementsStore } from './placements.store.js';
import { ReportsStore } from './reports.store.js';
import { SitesStore } from './sites.store.js';
import { keyOf, WorkloadsStore } from './workloads.store.js';

/** Everything a decision looks at, in one place, with the ledger of what is taken where kept in step. */
@Injectable()
export class World {
  constructor(
    readonly workloads: WorkloadsStore,
    readonly sites: SitesStore,
    readonly placements: PlacementsStore,
    readonly reports: ReportsStore,
    readonly holdings: HoldingsStore,
  ) {}

  get ledger(): Ledger {
    return this.holdings.ledger;
  }

  snapshot(): Snapshot & { sites: readonly SiteFacts[]; ledger: Ledger } {
    return { sites: this.sites.all(), ledger: this.ledger };
  }

  /** Everything that is placed, by key, with what a decision about it needs. */
  running(): (Running & { placement: Placement })[] {
    const now = Date.now();
    return [...this.placements.keys()].toSorted().flatMap((key) => {
      const workload = this.workloads.get(key)?.workload;
      const placement = this.placements.get(key);
      if (!workload || !placement || workload.removed || workload.stopped) return [];
      const refusals = this.reports.refusals.of(key, workload.generation, placement, now);
      return [{ workload, placement, refusals, ...this.budgetLeft(workload) }];
    });
  }

  /** What the project's other workloads leave of its budget; undefined without one. */
  private budgetLeft({ project, name }: Workload): { projectBudgetLeft?: number } {
    const budget = this.workloads.budgetOf(project);
    if (budget === undefined) return {};
    return { projectBudgetLeft: budget - this.placements.costOf(project, keyOf({ project, name })) };
  }

  /** What the next decision for a workload is made of. */
  inputFor(workload: Workload, now: number): Omit<NextPlacementInput, 'term' | 'epoch'> {
    const key = keyOf(workload);
    const previous = this.placements.get(key);
    return {
      workload,
      previous,
      refusals: this.reports.refusals.of(key, workload.generation, previous, now),
      // What runs matters to what is placed already: it stays until what replaces it runs.
      ...(previous && previous.shares.length > 0 ? { healthy: this.healthyOf(key) } : {}),
      ...this.budgetLeft(workload),
      snapshot: this.snapshot(),
      now,
      inputs: () => this.digests(workload),
    };
  }

  /** Healthy replicas by site; what a site said before it fell silent does not count. */
  private healthyOf(key: string): ReadonlyMap<string, number> {
    const heard = [...this.reports.health.of(key)].filter(([site]) => {
      const phase = this.sites.get(site)?.state?.phase;
      return phase === 'ready' || phase === 'suspect';
    });
    return new Map(heard);
  }

  /** Whether something of the workload stays only until what replaces it is healthy. */
  handsOver(key: string): boolean {
    return this.placements.get(key)?.shares.some((s) => s.until !== undefined) ?? false;
  }

  /**
   * Has the ledger hold what is placed of a workload. Returns whether anything was given back at any site. `logged`: the
   * decision that it follows is in the log.
   */
  settle(key: string, logged = false): boolean {
    return this.holdings.settle(key, this.holderOf(key), this.placements.get(key)?.shares ?? [], logged);
  }

  /**
   * Has workloads give up what was preempted of them, and who preempts take it: each is to be decided on anew. Returns the
   * keys of those that gave way.
   */
  giveWay(placement: Placement): string[] {
    const gone = placement.preempted ?? [];
    for (const { project, name, site, replicas } of gone) {
      const key = keyOf({ project, name });
      const left = this.ledger.heldBy(key).flatMap((held) => {
        const n = held.site === site ? held.replicas - replicas : held.replicas;
        return n > 0 ? [{ site: held.site, replicas: n }] : [];
      });
      this.holdings.settle(key, this.holderOf(key), left, false);
    }
    // Only now there is room for it.
    if (gone.length > 0) this.settle(keyOf(placement));
    return [...new Set(gone.map(keyOf))];
  }

  /** Without its workload (it comes by another follow) the need is not known: the workload's own coming settles it. */
  private holderOf(key: string): Holder | undefined {
    const spec = this.workloads.get(key)?.workload.spec;
    return spec && { need: spec.resources, priority: spec.placement.priority };
  }

  /** Digests of what a decision reads: the workload and every site. What others hold there is in the log. */
  digests(workload: Workload): Placement['inputs'] {
    return { workload: digestOf(workload), sites: this.sites.root() };
  }
}
