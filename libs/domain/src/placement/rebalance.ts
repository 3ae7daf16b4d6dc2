import type { NeededDataset, Placement, Workload } from '@skerry/contracts';
import { Rebalancing } from './rebalance-search.js';
import type { TrialLedger } from './rebalance-trial.js';
import type { Decision, PlaceRequest, Snapshot } from './types.js';
import type { Weights } from './weights.js';

/** A workload and what is placed of it now. */
export interface Running {
  readonly workload: Workload;
  readonly placement: Pick<Placement, 'state' | 'shares'>;
  /** Sites that said no to this generation, and why. */
  readonly refusals: PlaceRequest['refusals'];
  /** As of a `PlaceRequest`. What other changes of the same project add is taken off. */
  readonly projectBudgetLeft?: number;
  /** The datasets that it says it uses; absent: none. */
  readonly data?: readonly NeededDataset[];
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
  /** Clean by `lint` with all changes made (but for `last-copy`: the handover sees to that when it is committed). */
  readonly decision: Decision;
  /** Replicas before and after of every site where they differ; by name. */
  readonly moves: readonly { site: string; before: number; after: number }[];
  /** Replicas that start at another site; of a workload that shrinks, those that end if they are more. */
  readonly moved: number;
  /** By how much the sum of all objectives falls, in currency units a month, less what the moving itself costs; above 0. */
  readonly gain: number;
}

/** Over all workloads. */
export interface RebalanceFigures {
  readonly replicas: number;
  readonly costPerMonth: number;
  /** Mean over the workloads with users. */
  readonly latencyMs?: number;
  /** The sum of the objectives, without what moving costs. */
  readonly objective: number;
}

export interface Rebalance {
  /** The best gain per moved replica first, but for those that need the room of one before them. All hold together. */
  readonly changes: readonly Rebalanced[];
  /** Over all changes; at most `maxMoves`. */
  readonly moved: number;
  readonly before: RebalanceFigures;
  readonly after: RebalanceFigures;
  /** Workloads that were left alone because of what they are (singleton, daemon, job, cron) or their state. */
  readonly leftAlone: number;
}

/**
 * Proposes moves within a budget that lower the sum of the workloads' objectives by more than they cost, the best gain per
 * move first. Each workload goes, in steps, towards where the engine would place it now; what a step does to the other
 * workloads at its sites counts too. Only services are moved, and of those only the ones placed in full by their rules: the
 * rest is the scheduler's to mend, or must not move. The same state gives the same answer; nothing to gain gives no changes.
 * Costs two or three decisions for each workload that may move.
 */
export function rebalance(state: RebalanceState, limits: RebalanceLimits): Rebalance {
  const turns = rebalanceInTurns(state, limits);
  for (;;) {
    const turn = turns.next();
    if (turn.done === true) return turn.value;
  }
}

/**
 * As `rebalance`, which may wait after each look at a workload: for a caller that has other things to do. The ledger must
 * not change meanwhile, and is as it was found only at the end.
 */
export function* rebalanceInTurns(
  state: RebalanceState,
  limits: RebalanceLimits,
): Generator<undefined, Rebalance, undefined> {
  const rebalancing = new Rebalancing(state, limits.maxMoves);
  try {
    yield* rebalancing.run();
    return rebalancing.result();
  } finally {
    rebalancing.restore();
  }
}
