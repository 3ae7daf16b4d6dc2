import { Injectable } from '@nestjs/common';
import { shareVersion, type NeededDataset, type Placement, type Workload } from '@skerry/contracts';
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
import type { SteadyClock } from './steady-clock.js';
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

  /** The time that decisions are made by. */
  get clock(): SteadyClock {
    return this.sites.clock;
  }

  get ledger(): Ledger {
    return this.holdings.ledger;
  }

  snapshot(): Snapshot & { sites: readonly SiteFacts[]; ledger: Ledger } {
    return { sites: this.sites.all(), ledger: this.ledger };
  }

  /** Everything that is placed, by key, with what a decision about it needs. */
  running(): (Running & { placement: Placement })[] {
    const now = this.clock.now();
    return [...this.placements.keys()].toSorted().flatMap((key) => {
      const workload = this.workloads.get(key)?.workload;
      const placement = this.placements.get(key);
      if (!workload || !placement || workload.removed || workload.stopped) return [];
      const refusals = this.reports.refusals.of(key, workload.generation, placement, now);
      return [{ workload, placement, refusals, ...this.dataOf(workload), ...this.budgetLeft(workload) }];
    });
  }

  /** The datasets that it says it uses. */
  private dataOf(workload: Workload): { data?: NeededDataset[] } {
    const data = this.workloads.datasets.neededBy(workload);
    return data === undefined ? {} : { data };
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
      ...(previous && previous.shares.length > 0 ? { healthy: this.healthyOf(workload, previous) } : {}),
      ...this.dataOf(workload),
      ...this.budgetLeft(workload),
      snapshot: this.snapshot(),
      now,
      inputs: () => this.digests(workload),
    };
  }

  /**
   * Healthy replicas by site, of a job those that have completed. What a site said before it fell silent does not count, and
   * for what waits for its return only what it has said since. Where nothing is placed, what was said last tells nothing of
   * what may begin there.
   */
  private healthyOf(workload: Workload, previous: Placement): ReadonlyMap<string, number> {
    const told = [...this.reports.health.of(keyOf(workload))];
    if (workload.spec.type === 'job') {
      const ofThis = told.filter(([, { version }]) => version.generation === workload.generation);
      return new Map(ofThis.map(([site, { completed }]) => [site, completed]));
    }
    const placed = new Map(previous.shares.map((s) => [s.site, s]));
    const heard = told.flatMap(([site, { running, losses }]) => {
      const state = this.sites.get(site)?.state;
      const alive = state?.phase === 'ready' || state?.phase === 'suspect';
      const share = placed.get(site);
      const fresh = share?.until !== 'returned' || losses >= (state?.losses ?? 0);
      return share && alive && fresh && running > 0 ? [[site, running] as const] : [];
    });
    return new Map(heard);
  }

  /** A placement takes the place of another. */
  replaces(before: Placement | undefined, after: Placement | undefined): void {
    if (!before || !after || before === after) return;
    const there = new Set(before.shares.map((s) => s.site));
    for (const share of after.shares) {
      if (there.has(share.site)) continue;
      this.reports.health.begins(keyOf(after), share.site, shareVersion(after, share));
    }
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
