import { workloadKey } from '@skerry/contracts';
import { evaluate, objectiveOf } from './evaluate.js';
import { wantedPart } from './handover.js';
import { lint } from './lint.js';
import { partnerOf } from './partner.js';
import { decisionOf, work } from './place.js';
import type { Rebalance, Rebalanced, RebalanceFigures, RebalanceState, Running } from './rebalance.js';
import { OfferQueue, type Offer } from './rebalance-offers.js';
import {
  bestStep,
  choiceOf,
  gainPerMove,
  movedBetween,
  movingCost,
  problemAt,
  stepsTo,
  type Counts,
} from './rebalance-steps.js';
import { Trial } from './rebalance-trial.js';
import { Sifted } from './sift.js';
import type { Decision, PlaceRequest } from './types.js';

/** Gains below this are none: a rounding error moves nothing. */
const WORTH_IT = 1e-6;
/** How often the steps of one workload are looked at again, because others took or gave what they count on. */
const RETRIES_MAX = 4;
/** How often all workloads are looked at. */
const PASSES_MAX = 2;

/** A workload that changes: what was gained by all its steps so far, and what they cost by themselves. */
interface Changed {
  readonly gain: number;
  readonly movingCost: number;
  readonly decision: Decision;
}

/** The search of `rebalance`: a queue of steps, the best gain per move first, each tried on the ledger before it counts. */
export class Rebalancing {
  readonly #trial: Trial;
  readonly #queue = new OfferQueue();
  readonly #running = new Map<string, Running>();
  readonly #before = new Map<string, RebalanceFigures>();
  readonly #changed = new Map<string, Changed>();
  /** By workload: those whose rules name it. */
  readonly #namedBy = new Map<string, string[]>();
  /** Currency units a month that changes so far add to a project. */
  readonly #spent = new Map<string, number>();
  #movesLeft: number;
  #leftAlone = 0;

  constructor(
    private readonly state: RebalanceState,
    private readonly maxMoves: number,
  ) {
    this.#movesLeft = maxMoves;
    this.#trial = new Trial(state.snapshot.ledger);
    // By key, as sums of fractions depend on their order.
    for (const [key, running] of state.workloads.map((w) => [keyOf(w), w] as const).toSorted(byKey))
      this.#add(key, running);
  }

  /**
   * Looks at every workload and makes the steps that gain; then once more, since who left a site has made room there.
   * Between any two values the search may wait.
   */
  *run(): Generator<undefined, void> {
    const keys = [...this.#running.keys()].toSorted();
    for (const key of keys) {
      this.#first(key);
      yield;
    }
    for (let pass = 1; ; pass += 1) {
      const before = this.#movesLeft;
      for (let offer = this.#queue.take(); offer && this.#movesLeft > 0; offer = this.#queue.take()) {
        this.#attempt(offer);
        yield;
      }
      if (pass === PASSES_MAX || this.#movesLeft === before || this.#movesLeft === 0) return;
      for (const key of keys) {
        this.#look(key, 0);
        yield;
      }
    }
  }

  result(): Rebalance {
    // In the order in which they were first made: a later one may need the room that an earlier one leaves.
    const changes = [...this.#changed.keys()].map((key) => this.#change(key));
    const before = together([...this.#before.values()]);
    const after = [...this.#before].map(([key, figures]) => {
      const decision = this.#changed.get(key)?.decision;
      return decision ? { ...figures, ...figuresOf(decision) } : figures;
    });
    const fallen = [...this.#changed.values()].reduce((sum, c) => sum + c.gain + c.movingCost, 0);
    return {
      changes,
      moved: this.maxMoves - this.#movesLeft,
      before,
      after: { ...together(after), objective: before.objective - fallen },
      leftAlone: this.#leftAlone,
    };
  }

  /** Leaves the ledger as it was found. */
  restore(): void {
    this.#trial.restore();
  }

  #add(key: string, running: Running): void {
    this.#running.set(key, running);
    this.#trial.add(key, this.#requestOf(running), presentOf(running));
    const { affinity, antiAffinity } = running.workload.spec.placement;
    for (const { workload } of [...affinity, ...antiAffinity]) {
      const { project, name } = partnerOf(workload, running.workload.project);
      const named = workloadKey(project, name);
      this.#namedBy.set(named, [...(this.#namedBy.get(named) ?? []), key]);
    }
  }

  /** The figures of a workload as it is now, and where it would like to go. */
  #first(key: string): void {
    const running = this.#running.get(key);
    if (!running) return;
    const present = presentOf(running);
    const request = this.#requestOf(running);
    if (!mayMove(running)) {
      this.#leftAlone += 1;
      if (present.size > 0)
        this.#before.set(key, figuresNow(new Sifted(request, this.state.snapshot), present));
      return;
    }
    const { sifted, decision } = work(request, this.state.snapshot);
    this.#before.set(key, figuresNow(sifted, present));
    if (decision.state === 'placed') this.#offer({ key, target: countsOf(decision), retries: 0 }, sifted);
  }

  /** Puts the best step of a way into the queue, if there is any that gains. */
  #offer({ key, target, retries }: Omit<Offer, 'step'>, sifted: Sifted): void {
    const running = this.#running.get(key);
    const from = this.#trial.counts(key);
    if (!running || movedBetween(from, target) === 0) return;
    const steps = stepsTo(problemAt(sifted, from, target), { start: presentOf(running), from, target });
    const step = bestStep(steps, this.#movesLeft, WORTH_IT);
    if (step) this.#queue.put({ key, target, step, retries });
  }

  /** Makes a step, if it still gains as much as the next in the queue; else it waits for its turn, or is given up. */
  #attempt(offer: Offer): void {
    const running = this.#running.get(offer.key);
    if (!running) return;
    const { key, step, target } = offer;
    const sifted = new Sifted(this.#requestOf(running), this.state.snapshot);
    if (step.moved > this.#movesLeft) return this.#offer(offer, sifted);
    const from = this.#trial.counts(key);
    const problem = problemAt(sifted, from, step.counts);
    const decision = given(sifted, step.counts);
    const falls = objectiveOf(problem, choiceOf(problem, from)) - decision.objective;
    if (lint(decision, sifted.request, this.state.snapshot).length > 0) return this.#again(offer);
    const gain = falls - this.#trial.change(key, step.counts);
    const next = this.#queue.best;
    if (gain > WORTH_IT && this.#othersHold(key)) {
      if (offer.retries >= RETRIES_MAX || gainPerMove({ ...step, gain }) >= next - WORTH_IT) {
        this.#accept(offer, sifted, { decision, gain });
        this.#offer({ key, target, retries: offer.retries }, sifted);
        return;
      }
      this.#trial.undo();
      this.#queue.put({ ...offer, step: { ...step, gain }, retries: offer.retries + 1 });
      return;
    }
    this.#trial.undo();
    this.#again(offer);
  }

  #accept({ key, step }: Offer, sifted: Sifted, made: { decision: Decision; gain: number }): void {
    const { decision, gain } = made;
    const running = this.#running.get(key);
    if (!running) return;
    const { project } = running.workload;
    const before = this.#changed.get(key);
    const costBefore = before?.decision.costPerMonth ?? this.#before.get(key)?.costPerMonth ?? 0;
    this.#spent.set(project, (this.#spent.get(project) ?? 0) + decision.costPerMonth - costBefore);
    this.#movesLeft -= step.moved;
    const problem = problemAt(sifted, step.counts);
    this.#changed.set(key, {
      gain: (before?.gain ?? 0) + gain,
      movingCost: movingCost(problem, choiceOf(problem, step.counts)),
      decision,
    });
  }

  /** Looks where a workload would go now, after something has changed where it was going. */
  #again({ key, retries }: Offer): void {
    if (retries < RETRIES_MAX) this.#look(key, retries + 1);
  }

  #look(key: string, retries: number): void {
    const running = this.#running.get(key);
    if (!running || !mayMove(running)) return;
    const { sifted, decision } = work(this.#requestOf(running), this.state.snapshot);
    if (decision.state !== 'placed') return;
    this.#offer({ key, target: countsOf(decision), retries }, sifted);
  }

  /** Whether the workloads whose rules name this one still keep them. */
  #othersHold(key: string): boolean {
    return (this.#namedBy.get(key) ?? []).every((other) => {
      const running = this.#running.get(other);
      if (!running) return true;
      const { index, ceiling } = new Sifted(this.#requestOf(running), this.state.snapshot);
      return [...this.#trial.counts(other)].every(
        ([site, replicas]) => (ceiling[index.ordinal(site) ?? -1] ?? 0) >= replicas,
      );
    });
  }

  /** The decision with all changes made: what others did at the same sites is in its figures. */
  #change(key: string): Rebalanced {
    const running = this.#running.get(key);
    const changed = this.#changed.get(key);
    if (!running || !changed) throw new Error(`${key} has not changed`);
    const counts = this.#trial.counts(key);
    const sifted = new Sifted(this.#requestOf(running), this.state.snapshot);
    const present = presentOf(running);
    const moves = [...new Set([...present.keys(), ...counts.keys()])]
      .toSorted()
      .map((site) => ({ site, before: present.get(site) ?? 0, after: counts.get(site) ?? 0 }))
      .filter((m) => m.before !== m.after);
    return {
      workload: running.workload,
      decision: given(sifted, counts),
      moves,
      moved: movedBetween(present, counts),
      gain: changed.gain,
    };
  }

  #requestOf(running: Running): PlaceRequest {
    const { workload, refusals, projectBudgetLeft, data } = running;
    const { now, weights } = this.state;
    const own = this.#changed.get(keyOf(running));
    // What this workload itself adds counts as free, as what it costs now does.
    const added = own ? own.decision.costPerMonth - (this.#before.get(keyOf(running))?.costPerMonth ?? 0) : 0;
    const others = (this.#spent.get(workload.project) ?? 0) - added;
    return {
      workload,
      present: presentOf(running),
      refusals,
      now,
      ...(weights ? { weights } : {}),
      ...(data ? { data } : {}),
      ...(projectBudgetLeft === undefined ? {} : { projectBudgetLeft: projectBudgetLeft - others }),
    };
  }
}

function mayMove({ workload, placement }: Running): boolean {
  const { stopped, removed, spec } = workload;
  if (stopped || removed || spec.type !== 'service') return false;
  return placement.state === 'placed' && placement.shares.every((s) => s.until === undefined);
}

/** What is wanted where, without what only stays until it is replaced. */
function presentOf({ placement }: Running): Counts {
  return new Map(wantedPart(placement.shares).map((s) => [s.site, s.replicas]));
}

function countsOf({ shares }: Decision): Counts {
  return new Map(shares.map((s) => [s.site, s.replicas]));
}

/** The decision of given counts. */
function given(sifted: Sifted, counts: Counts): Decision {
  const problem = problemAt(sifted, counts);
  const choice = choiceOf(problem, counts);
  const evaluation = evaluate(problem, choice);
  const { objective } = evaluation;
  return decisionOf(
    problem,
    { choice, objective, evaluation, runnerUp: undefined, heldBackBy: undefined },
    sifted,
  );
}

/** What is placed now, at today's prices and round trips. */
function figuresNow(sifted: Sifted, present: Counts): RebalanceFigures {
  const problem = problemAt(sifted, present);
  const objective = objectiveOf(problem, choiceOf(problem, present));
  return {
    ...figuresOf(given(sifted, present)),
    objective: objective - movingCost(problem, choiceOf(problem, present)),
  };
}

function figuresOf(decision: Decision): Omit<RebalanceFigures, 'objective'> {
  return {
    replicas: decision.shares.reduce((sum, s) => sum + s.replicas, 0),
    costPerMonth: decision.costPerMonth,
    ...(decision.latencyMs === undefined ? {} : { latencyMs: decision.latencyMs }),
  };
}

function together(all: readonly RebalanceFigures[]): RebalanceFigures {
  const sum = (of: (f: RebalanceFigures) => number) => all.reduce((total, f) => total + of(f), 0);
  const latencies = all.flatMap((f) => f.latencyMs ?? []);
  return {
    replicas: sum((f) => f.replicas),
    costPerMonth: sum((f) => f.costPerMonth),
    ...(latencies.length > 0 ? { latencyMs: latencies.reduce((a, b) => a + b, 0) / latencies.length } : {}),
    objective: sum((f) => f.objective),
  };
}

/** The order of strings of code units, whatever the language of the machine. */
function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function keyOf({ workload }: { readonly workload: Running['workload'] }): string {
  return workloadKey(workload.project, workload.name);
}
