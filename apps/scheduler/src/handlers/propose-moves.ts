import { Inject, Injectable } from '@nestjs/common';
import type { Plan, PlanFigures } from '@skerry/contracts';
import { rebalanceInTurns, withOwnLedger, type Rebalanced } from '@skerry/domain';
import { CONFIG, JsonLog } from '@skerry/service';
import type { SchedulerConfig } from '../config.js';
import { keyOf } from '../stores/workloads.store.js';
import { World } from '../stores/world.js';
import { figuresOf, planOf, together, type PlanItem } from './plan-of.js';
import { Trial } from './trial.js';
import { Turns } from './turns.js';

export interface Proposal {
  readonly plan: Plan;
  /** The same again as what is to be decided, all of it and in order. */
  readonly moves: readonly PlanItem[];
}

/** Moves that gain more than they cost, within a budget. The same cloud gives the same proposal. */
@Injectable()
export class ProposeMoves {
  constructor(
    private readonly world: World,
    @Inject(CONFIG) private readonly config: SchedulerConfig,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** How many replicas so many percent of all are; at least one, unless it is none. */
  budget(percent: number): number {
    const replicas = together(this.world.running().map((r) => figuresOf(r.placement))).replicas;
    return percent === 0 ? 0 : Math.max(1, Math.floor((replicas * percent) / 100));
  }

  async plan(maxMoves: number): Promise<Proposal> {
    const running = this.world.running();
    const snapshot = withOwnLedger(this.world.snapshot());
    const now = this.world.clock.now();
    const trial = new Trial(this.world, {
      snapshot,
      now,
      term: this.world.placements.term(this.config.hubTerm),
    });
    const turns = new Turns();
    const items: PlanItem[] = [];
    const search = rebalanceInTurns({ workloads: running, snapshot, now }, { maxMoves });
    let turn = search.next();
    for (; turn.done !== true; turn = search.next()) await turns.next();
    for (const change of turn.value.changes) {
      const item = this.tried(trial, change);
      if (item) items.push(item);
    }
    return { plan: this.planFor(maxMoves, running, items), moves: items };
  }

  /** Undefined for a change that does not hold after those before it: it is left out. */
  private tried(trial: Trial, { workload, decision }: Rebalanced): PlanItem | undefined {
    const given = new Map(decision.shares.map((s) => [s.site, s.replicas]));
    try {
      return trial.decide({ workload, change: 'update', given });
    } catch (error) {
      this.log.warn(`a proposed move of ${keyOf(workload)} does not hold`, error);
      return undefined;
    }
  }

  private planFor(maxMoves: number, running: readonly Placed[], items: readonly PlanItem[]): Plan {
    const after = new Map(items.map((i) => [keyOf(i), figuresOf(i.placement)]));
    const before = running.map((r): [string, PlanFigures] => [keyOf(r.workload), figuresOf(r.placement)]);
    return planOf({ kind: 'rebalance', maxMoves }, undefined, items, {
      before: together(before.map(([, figures]) => figures)),
      after: together(before.map(([key, figures]) => after.get(key) ?? figures)),
      untouched: running.length - items.length,
    });
  }
}

type Placed = ReturnType<World['running']>[number];
