import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import {
  parse,
  planRequestSchema,
  Refusal,
  type Plan,
  type PlanRequest,
  type Workload,
} from '@skerry/contracts';
import { CONFIG } from '@skerry/service';
import type { SchedulerConfig } from '../config.js';
import { keyOf } from '../stores/workloads.store.js';
import { World } from '../stores/world.js';
import { figuresOf, planOf, together, type PlanItem } from './plan-of.js';
import { PlannedDatasets } from './planned-datasets.js';
import { Trial } from './trial.js';

/** Rounds in which what gives way may have others give way in turn, and copies be chosen elsewhere. */
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
    const { items, datasets: asked = [] } = request.value;
    const now = this.world.clock.now();
    const term = this.world.placements.term(this.config.hubTerm);
    const trial = new Trial(this.world, { snapshot: this.world.snapshot(), now, term });
    const planned = new PlannedDatasets(this.world, asked, { items, now });
    try {
      planned.begin();
      const decided = decideAll(trial, items, planned);
      const datasets = planned.answer();
      const named = items.map(({ workload: w }) => [w.project, w.name, w.labels, w.specDigest]);
      return planOf(
        { kind: 'apply' },
        asked.length === 0 ? named : [named, planned.named(datasets)],
        decided,
        {
          before: together(decided.flatMap((i) => i.before ?? [])),
          after: together(decided.map((i) => figuresOf(i.placement))),
          untouched: 0,
          ...(asked.length === 0 ? {} : { datasets }),
        },
      );
    } finally {
      // All of it happened within one turn: nobody has seen the ledger, or the datasets, in between.
      planned.end();
      trial.undo();
    }
  }
}

/** What was asked, in order, then what gives way to it, or may not stay for its datasets, and has to go elsewhere. */
function decideAll(trial: Trial, items: PlanRequest['items'], planned: PlannedDatasets): PlanItem[] {
  const asked = new Set(items.map(({ workload }) => keyOf(workload)));
  const decided = new Map(items.map((item) => [keyOf(item.workload), trial.decide(item)]));
  const again = (workload: Workload, change: PlanItem['change']) => {
    const key = keyOf(workload);
    decided.set(key, trial.decide({ workload, change: decided.get(key)?.change ?? change }));
  };
  for (const workload of planned.touched()) again(workload, 'none');
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const victims = trial.gaveWay();
    for (const workload of victims) again(workload, 'update');
    const displaced = planned.choose(decided);
    for (const workload of displaced) again(workload, 'none');
    if (victims.length + displaced.length === 0) break;
  }
  return [...decided].filter(([key, item]) => asked.has(key) || isOther(item)).map(([, item]) => item);
}

/** Of what was not asked for, only that is told. */
function isOther({ change, moves }: PlanItem): boolean {
  return change !== 'none' || moves.length > 0;
}
