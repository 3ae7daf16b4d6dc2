import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import { parse, planRequestSchema, Refusal, type Plan, type PlanRequest } from '@skerry/contracts';
import { CONFIG } from '@skerry/service';
import type { SchedulerConfig } from '../config.js';
import { keyOf } from '../stores/workloads.store.js';
import { World } from '../stores/world.js';
import { figuresOf, planOf, together, type PlanItem } from './plan-of.js';
import { Trial } from './trial.js';

/** Rounds in which what gives way may have others give way in turn. */
const ROUNDS_MAX = 8;

/** Decides as an apply would, one workload after the other, each on what those before it would take; commits nothing. */
@Injectable()
export class AnswerPlan {
  constructor(
    private readonly world: World,
    @Inject(CONFIG) private readonly config: SchedulerConfig,
  ) {}

  handle(message: Message): Plan {
    const request = parse(planRequestSchema, message.json());
    if (!request.ok) throw new Refusal('malformed', 'not a plan request', { issues: request.issues });
    const { items } = request.value;
    const on = {
      snapshot: this.world.snapshot(),
      now: this.world.clock.now(),
      term: this.world.placements.term(this.config.hubTerm),
    };
    const trial = new Trial(this.world, on);
    try {
      const decided = decideAll(trial, items);
      const asked = items.map(({ workload: w }) => [w.project, w.name, w.labels, w.specDigest]);
      return planOf({ kind: 'apply' }, asked, decided, {
        before: together(decided.flatMap((i) => i.before ?? [])),
        after: together(decided.map((i) => figuresOf(i.placement))),
        untouched: 0,
      });
    } finally {
      // All of it happened within one turn: nobody has seen the ledger in between.
      trial.undo();
    }
  }
}

/** What was asked, in order, then what gives way to it and has to go elsewhere. */
function decideAll(trial: Trial, items: PlanRequest['items']): PlanItem[] {
  const decided = new Map(items.map((item) => [keyOf(item.workload), trial.decide(item)]));
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    for (const workload of trial.gaveWay()) {
      const change = decided.get(keyOf(workload))?.change ?? 'update';
      decided.set(keyOf(workload), trial.decide({ workload, change }));
    }
  }
  return [...decided.values()];
}
