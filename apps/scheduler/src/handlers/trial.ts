import { Refusal, type Placement, type Workload } from '@skerry/contracts';
import { nextPlacement, type Holding, type Ledger, type Snapshot } from '@skerry/domain';
import { keyOf } from '../stores/workloads.store.js';
import type { World } from '../stores/world.js';
import { figuresOf, movesOf, type PlanItem } from './plan-of.js';

interface Asked {
  readonly workload: Workload;
  readonly change: PlanItem['change'];
  /** Replicas by site, when they are not to be chosen. */
  readonly given?: ReadonlyMap<string, number>;
}
interface On {
  /** Whose ledger is used to try: the live one is put back by `undo`. */
  readonly snapshot: Snapshot & { readonly ledger: Ledger };
  readonly now: number;
  readonly term: number;
}

/**
 * Decisions that are made and not committed, one after the other, each on what those before it would take. What they say is
 * where everything ends up: nothing is shown as staying until it is replaced.
 */
export class Trial {
  private readonly detached = new Map<string, ReadonlyMap<string, Holding>>();
  /** What a month costs more than before, by project and by workload. */
  private readonly costs = new Map<string, number>();
  private readonly victims = new Map<string, Workload>();

  constructor(
    private readonly world: World,
    private readonly on: On,
  ) {}

  decide({ workload, change, given }: Asked): PlanItem {
    const { snapshot, now, term } = this.on;
    const { healthy: _healthy, projectBudgetLeft: left, ...input } = this.world.inputFor(workload, now);
    const { previous } = input;
    const key = keyOf(workload);
    // What was decided of it before, in this trial, does not count.
    const spent = (this.costs.get(workload.project) ?? 0) - (this.costs.get(key) ?? 0);
    const next = nextPlacement({
      ...input,
      ...(left === undefined ? {} : { projectBudgetLeft: left - spent }),
      ...(given ? { given } : {}),
      snapshot,
      term,
      epoch: Math.max(1, this.world.placements.epoch),
    });
    const placement = next ?? previous;
    if (!placement) throw new Refusal('internal', `nothing was decided for ${key}`);
    this.take(workload, placement);
    const more = placement.costPerMonth - (previous?.costPerMonth ?? 0);
    this.costs.set(key, more).set(workload.project, spent + more);
    return {
      project: workload.project,
      name: workload.name,
      change,
      placement,
      moves: movesOf(previous, placement),
      ...(previous ? { before: figuresOf(previous) } : {}),
    };
  }

  /** Puts the ledger back exactly as it was. */
  undo(): void {
    const { ledger } = this.on.snapshot;
    for (const key of this.detached.keys()) ledger.release(key);
    for (const [key, holdings] of this.detached) ledger.attach(key, holdings);
    this.detached.clear();
  }

  /** What gave way to others since this was asked last: to be decided on anew. */
  gaveWay(): Workload[] {
    const victims = [...this.victims.values()];
    this.victims.clear();
    return victims;
  }

  private take(workload: Workload, { shares, preempted = [] }: Placement): void {
    this.hold(workload, shares);
    for (const { project, name, site, replicas } of preempted) {
      const victim = this.world.workloads.get(keyOf({ project, name }))?.workload;
      if (!victim) continue;
      const left = this.on.snapshot.ledger.heldBy(keyOf(victim)).flatMap((held) => {
        const n = held.site === site ? held.replicas - replicas : held.replicas;
        return n > 0 ? [{ site: held.site, replicas: n }] : [];
      });
      this.hold(victim, left);
      this.victims.set(keyOf(victim), victim);
    }
    // Only now there is room for it.
    if (preempted.length > 0) this.hold(workload, shares);
  }

  private hold(workload: Workload, shares: readonly { site: string; replicas: number }[]): void {
    const { ledger } = this.on.snapshot;
    const key = keyOf(workload);
    if (!this.detached.has(key)) this.detached.set(key, ledger.detach(key));
    ledger.hold(key, workload.spec.resources, shares, workload.spec.placement.priority);
  }
}
