import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import {
  parse,
  planRequestSchema,
  Refusal,
  type Placement,
  type Plan,
  type PlanFigures,
  type PlanRequest,
} from '@skerry/contracts';
import { nextPlacement, type Holding } from '@skerry/domain';
import { CONFIG } from '@skerry/service';
import type { SchedulerConfig } from '../config.js';
import { digestOf } from '../stores/digest.js';
import { keyOf } from '../stores/workloads.store.js';
import { World } from '../stores/world.js';

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
    const { ledger } = this.world;
    const before = new Map<string, ReadonlyMap<string, Holding>>();
    try {
      return planOf(request.value.items.map((item) => this.decide(item, before)));
    } finally {
      // All of it happened within one turn: nobody has seen the ledger in between.
      for (const key of before.keys()) ledger.release(key);
      for (const [key, holdings] of before) ledger.attach(key, holdings);
    }
  }

  private decide(
    { workload, change }: PlanRequest['items'][number],
    before: Map<string, ReadonlyMap<string, Holding>>,
  ): Plan['items'][number] {
    const { ledger, placements } = this.world;
    const key = keyOf(workload);
    const input = this.world.inputFor(workload, Date.now());
    const { previous } = input;
    const epoch = Math.max(1, placements.epoch);
    const placement = nextPlacement({ ...input, term: this.config.hubTerm, epoch }) ?? previous;
    if (!placement) throw new Refusal('internal', `nothing was decided for ${key}`);
    if (!before.has(key)) before.set(key, ledger.detach(key));
    ledger.hold(key, workload.spec.resources, placement.shares);
    const { project, name } = workload;
    const moves = movesOf(previous, placement);
    return { project, name, change, placement, moves, ...(previous ? { before: figuresOf(previous) } : {}) };
  }
}

function planOf(items: Plan['items']): Plan {
  const scenario = { kind: 'apply' as const };
  const chosen = items.map(({ project, name, placement }) => [
    project,
    name,
    placement.shares.map((s) => [s.site, s.replicas]),
  ]);
  return {
    id: `plan-${digestOf([scenario, chosen]).slice('sha256:'.length, 'sha256:'.length + 16)}`,
    scenario,
    items,
    before: together(items.flatMap((i) => i.before ?? [])),
    after: together(items.map((i) => figuresOf(i.placement))),
    untouched: 0,
  };
}

function figuresOf({ shares, costPerMonth, latencyMs }: Placement): PlanFigures {
  const replicas = shares.reduce((sum, s) => sum + s.replicas, 0);
  return { replicas, costPerMonth, ...(latencyMs === undefined ? {} : { latencyMs }) };
}

/** Sums; the latency is the mean over those that have users. */
function together(all: readonly PlanFigures[]): PlanFigures {
  const sum = (of: (f: PlanFigures) => number) => all.reduce((total, f) => total + of(f), 0);
  const withUsers = all.flatMap((f) => f.latencyMs ?? []);
  return {
    replicas: sum((f) => f.replicas),
    costPerMonth: sum((f) => f.costPerMonth),
    ...(withUsers.length === 0 ? {} : { latencyMs: withUsers.reduce((a, b) => a + b, 0) / withUsers.length }),
  };
}

/** Replicas before and after, of every site where they differ; by name. */
function movesOf(previous: Placement | undefined, next: Placement): Plan['items'][number]['moves'] {
  const before = new Map(previous?.shares.map((s) => [s.site, s.replicas]));
  const after = new Map(next.shares.map((s) => [s.site, s.replicas]));
  return [...new Set([...before.keys(), ...after.keys()])]
    .toSorted()
    .map((site) => ({ site, before: before.get(site) ?? 0, after: after.get(site) ?? 0 }))
    .filter((m) => m.before !== m.after);
}
