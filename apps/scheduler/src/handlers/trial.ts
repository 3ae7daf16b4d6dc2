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
  private readonly costs = new Map<string, number>();

  constructor(
    private readonly world: World,
    private readonly on: On,
  ) {}

  decide({ workload, change, given }: Asked): PlanItem {
    const { snapshot, now, term } = this.on;
    const { healthy: _healthy, projectBudgetLeft: left, ...input } = this.world.inputFor(workload, now);
    const { previous } = input;
    const spent = this.costs.get(workload.project) ?? 0;
    const next = nextPlacement({
      ...input,
      ...(left === undefined ? {} : { projectBudgetLeft: left - spent }),
      ...(given ? { given } : {}),
      snapshot,
      term,
      epoch: Math.max(1, this.world.placements.epoch),
    });
    const placement = next ?? previous;
    if (!placement) throw new Refusal('internal', `nothing was decided for ${keyOf(workload)}`);
    this.take(workload, placement);
    this.costs.set(workload.project, spent + placement.costPerMonth - (previous?.costPerMonth ?? 0));
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

  private take(workload: Workload, { shares }: Placement): void {
    const { ledger } = this.on.snapshot;
    const key = keyOf(workload);
    if (!this.detached.has(key)) this.detached.set(key, ledger.detach(key));
    ledger.hold(key, workload.spec.resources, shares, workload.spec.placement.priority);
  }
}
