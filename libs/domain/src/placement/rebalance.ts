import type { Placement, Resources, Share, Workload } from '@skerry/contracts';
import { emptyChoice, meanOver, withMore } from './choice.js';
import type { Holding } from './ledger.js';
import { lint } from './lint.js';
import { work } from './place.js';
import { meanMs, objectiveOf } from './evaluate.js';
import type { Choice, Decision, LedgerView, PlaceRequest, Problem, Snapshot } from './types.js';
import type { Weights } from './weights.js';

/** A workload and what is placed of it now. */
export interface Running {
  readonly workload: Workload;
  readonly placement: Pick<Placement, 'state' | 'shares'>;
  /** Sites that said no to this generation, and why. */
  readonly refusals: PlaceRequest['refusals'];
}

/** A ledger on which changes are tried: what each workload holds may be replaced, and put back exactly. `Ledger` is one. */
export interface TrialLedger extends LedgerView {
  hold(key: string, need: Resources, shares: readonly { site: string; replicas: number }[]): void;
  release(key: string): readonly string[];
  detach(key: string): ReadonlyMap<string, Holding>;
  attach(key: string, holdings: ReadonlyMap<string, Holding>): void;
}

export interface RebalanceState {
  /** In any order; those that may not be moved too, so that the figures are of all. */
  readonly workloads: readonly Running[];
  /** The ledger holds what the workloads hold. It is used to try changes and left as it was found. */
  readonly snapshot: Snapshot & { readonly ledger: TrialLedger };
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Default `DEFAULT_WEIGHTS`; `perMove` is what a move has to gain. */
  readonly weights?: Weights;
}

export interface RebalanceLimits {
  /** Replicas that may start at another site, over all workloads. */
  readonly maxMoves: number;
}

/** A new decision for one workload. */
export interface Rebalanced {
  readonly workload: Workload;
  /** Clean by `lint`, with the decisions before it in the list made. */
  readonly decision: Decision;
  /** Replicas before and after of every site where they differ; by name. */
  readonly moves: readonly { site: string; before: number; after: number }[];
  /** Replicas that start at another site; of a workload that shrinks, those that end if they are more. */
  readonly moved: number;
  /** By how much the objective falls, in currency units a month, less what the moving itself costs; more than 0. */
  readonly gain: number;
}

/** Sums over all workloads. */
export interface RebalanceFigures {
  readonly replicas: number;
  readonly costPerMonth: number;
  /** Mean over the workloads with users. */
  readonly latencyMs?: number;
  /** The sum of the objectives, without what moving costs. */
  readonly objective: number;
}

export interface Rebalance {
  /** The best gain per moved replica first. They hold together and in this order. */
  readonly changes: readonly Rebalanced[];
  /** At most `maxMoves`. */
  readonly moved: number;
  readonly before: RebalanceFigures;
  readonly after: RebalanceFigures;
  /** Workloads that were left alone because of what they are (singleton, daemon, job, cron) or their state. */
  readonly leftAlone: number;
}

interface Offer {
  readonly running: Running;
  readonly decision: Decision;
  readonly moved: number;
  readonly gain: number;
}

/**
 * Proposes moves within a budget that lower the sum of the workloads' objectives by more than they cost, the best gain per
 * move first. Only services are moved, and of those only the ones placed in full by their rules: the rest is the
 * scheduler's to mend, or must not move. The same state gives the same answer; nothing to gain gives no changes.
 */
export function rebalance(state: RebalanceState, limits: RebalanceLimits): Rebalance {
  const { ledger } = state.snapshot;
  const movable = state.workloads
    .filter((r) => mayMove(r))
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const offers = movable.flatMap((running) => offerOf(running, state) ?? []).toSorted(byGainPerMove);
  const held = new Map<string, ReadonlyMap<string, Holding>>();
  const made: Offer[] = [];
  let left = limits.maxMoves;
  const before = figuresOf(state, new Map());
  let after = before;
  try {
    for (const { running } of offers) {
      const offer = offerOf(running, state);
      if (!offer || offer.moved > left) continue;
      left -= offer.moved;
      made.push(offer);
      const key = keyOf(running);
      held.set(key, ledger.detach(key));
      ledger.hold(key, running.workload.spec.resources, offer.decision.shares);
    }
    if (made.length > 0)
      after = figuresOf(state, new Map(made.map((o) => [keyOf(o.running), o.decision.shares])));
  } finally {
    for (const key of held.keys()) ledger.release(key);
    for (const [key, holdings] of held) ledger.attach(key, holdings);
  }
  return {
    changes: made.toSorted(byGainPerMove).map(changeOf),
    moved: limits.maxMoves - left,
    before,
    after,
    leftAlone: state.workloads.length - movable.length,
  };
}

function mayMove({ workload, placement }: Running): boolean {
  const { stopped, removed, spec } = workload;
  if (stopped || removed || spec.type !== 'service') return false;
  return placement.state === 'placed' && placement.shares.every((s) => s.until === undefined);
}

function offerOf(running: Running, { snapshot, now, weights }: RebalanceState): Offer | undefined {
  const { workload, placement, refusals } = running;
  const present = new Map(placement.shares.map((s) => [s.site, s.replicas]));
  const request = { workload, present, refusals, now, ...(weights ? { weights } : {}) };
  const { problem, decision } = work(request, snapshot);
  if (decision.state !== 'placed' || lint(decision, request, snapshot).length > 0) return undefined;
  const gain = objectiveOf(problem, presentChoice(problem)) - decision.objective;
  const moved = movedBetween(placement.shares, decision.shares);
  return moved === 0 || gain <= 0 ? undefined : { running, decision, moved, gain };
}

type Counts = readonly Pick<Share, 'site' | 'replicas'>[];

function movedBetween(before: Counts, after: Counts): number {
  const was = new Map(before.map((s) => [s.site, s.replicas]));
  const is = new Map(after.map((s) => [s.site, s.replicas]));
  const started = after.reduce((sum, s) => sum + Math.max(0, s.replicas - (was.get(s.site) ?? 0)), 0);
  const ended = before.reduce((sum, s) => sum + Math.max(0, s.replicas - (is.get(s.site) ?? 0)), 0);
  return Math.max(started, ended);
}

function changeOf({ running, decision, moved, gain }: Offer): Rebalanced {
  const before = new Map(running.placement.shares.map((s) => [s.site, s.replicas]));
  const after = new Map(decision.shares.map((s) => [s.site, s.replicas]));
  const moves = [...new Set([...before.keys(), ...after.keys()])]
    .toSorted()
    .map((site) => ({ site, before: before.get(site) ?? 0, after: after.get(site) ?? 0 }))
    .filter((m) => m.before !== m.after);
  return { workload: running.workload, decision, moves, moved, gain };
}

function figuresOf(state: RebalanceState, changed: ReadonlyMap<string, Counts>): RebalanceFigures {
  const all = state.workloads.flatMap((running) => {
    const shares = changed.get(keyOf(running)) ?? running.placement.shares;
    return shares.length === 0 ? [] : [figuresOfOne(running, shares, state)];
  });
  const withUsers = all.flatMap((d) => d.latencyMs ?? []);
  const sum = (of: (d: (typeof all)[number]) => number) => all.reduce((total, d) => total + of(d), 0);
  return {
    replicas: sum((d) => d.replicas),
    costPerMonth: sum((d) => d.costPerMonth),
    ...(withUsers.length > 0 ? { latencyMs: withUsers.reduce((a, b) => a + b, 0) / withUsers.length } : {}),
    objective: sum((d) => d.objective),
  };
}

function figuresOfOne(
  { workload, refusals }: Running,
  shares: Counts,
  { snapshot, now, weights }: RebalanceState,
): RebalanceFigures {
  const present = new Map(shares.map((s) => [s.site, s.replicas]));
  const { problem } = work({ workload, present, refusals, now, ...(weights ? { weights } : {}) }, snapshot);
  const choice = presentChoice(problem);
  return {
    replicas: choice.total,
    costPerMonth: meanOver(problem.candidates, choice, (c) => c.price) * choice.total,
    ...(problem.users.count > 0 ? { latencyMs: meanMs(problem, choice) } : {}),
    objective: objectiveOf(problem, choice),
  };
}

function presentChoice({ candidates }: Problem): Choice {
  let choice = emptyChoice(candidates.length);
  for (const [i, c] of candidates.entries()) if (c.present > 0) choice = withMore(choice, i, c.present);
  return choice;
}

function byGainPerMove(a: Offer, b: Offer): number {
  return b.gain / b.moved - a.gain / a.moved || (keyOf(a.running) < keyOf(b.running) ? -1 : 1);
}

function keyOf({ workload }: Running): string {
  return `${workload.project}.${workload.name}`;
}
