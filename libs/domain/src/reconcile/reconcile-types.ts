import type { Cron } from '@skerry/contracts';

/** Phases of a replica as a node decides on them; `ended` is what `reconcile` turns into backoff, completed or failed. */
export type HeldPhase =
  'starting' | 'running' | 'unhealthy' | 'stopping' | 'ended' | 'backoff' | 'completed' | 'failed';

/**
 * How a replica ended: by itself, with its exit code where that is known; stopped by the node because it was not
 * well; or set aside by the node for a reason that lay not in it.
 */
export type Ending =
  { readonly cause: 'exited'; readonly code?: number } | { readonly cause: 'stopped' | 'set-aside' };

/** A replica that the node holds. Times are milliseconds of one clock. */
export interface HeldReplica {
  readonly slot: number;
  /** Names what it was started from (command, environment, files, resources): equal text, equal replica. */
  readonly template: string;
  readonly phase: HeldPhase;
  /** When it came into `phase`. */
  readonly sinceMs: number;
  /** When it was last started. */
  readonly startedAtMs: number;
  /** Failures in a row, behind the present backoff. */
  readonly streak: number;
  /** Set when `ended`. */
  readonly ending?: Ending;
  /** Of a cron: when the run that it is part of was due. */
  readonly runMs?: number;
  /** Set in `backoff`. */
  readonly retryAtMs?: number;
}

export type RestartPolicy = 'always' | 'on-failure' | 'never';

/** What shall run of one workload on this node. */
export interface Wanted {
  /** Of the whole site. */
  readonly replicas: number;
  /** Which of the slots 0 to `replicas - 1` are this node's; absent: all. */
  readonly slots?: ReadonlySet<number>;
  readonly template: string;
  readonly policy: RestartPolicy;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Wanted slots that may be down at once for an update; 0: none that runs is exchanged now. */
  readonly maxUnavailable: number;
  /** Time a started replica has until it must be running. */
  readonly healthyDeadlineMs: number;
  /** Runs to completion at each time of the schedule that is later than `fromMs`, and not in between. */
  readonly cron?: { readonly schedule: Cron; readonly fromMs: number };
  /** Nothing of it shall run for now; what it left stays, and it goes on from there. */
  readonly paused?: boolean;
}

export type StopReason = 'not-wanted' | 'outdated' | 'paused' | 'unhealthy' | 'never-healthy' | 'next-run';

export type Action =
  /** `fresh`: a new replica, whose count of failures begins at 0; else the same one once more. `runMs`: of the run that was due then. */
  | { readonly kind: 'start'; readonly slot: number; readonly fresh: boolean; readonly runMs?: number }
  | { readonly kind: 'stop'; readonly slot: number; readonly why: StopReason }
  | { readonly kind: 'backoff'; readonly slot: number; readonly retryAtMs: number; readonly streak: number }
  | { readonly kind: 'settle'; readonly slot: number; readonly phase: 'completed' | 'failed' }
  /** Drop it and what it left on the disk. */
  | { readonly kind: 'forget'; readonly slot: number };

export interface Reconciled {
  readonly actions: Action[];
  /** When to ask again although nothing changed. */
  readonly wakeAtMs?: number;
  /** A run of a cron that is not started, now or later, since the one before has not ended: `fromMs` is this from now on. */
  readonly leftOutMs?: number;
}
