import { variable, wholeNumberOr, type ServiceConfig } from '@skerry/service';

/** What scheduler is told beside what every service is told. */
export const SCHEDULER_VARIABLES = {
  /** The hub's term: raise it by one when the hub is restored from a backup, so that what is then decided counts as newer. */
  hubTerm: variable('SKERRY_HUB_TERM', wholeNumberOr(1, 1, 1_000_000_000)),
  /** Between two rebalances that the scheduler makes by itself; 0: only when asked. */
  rebalanceEveryMs: variable('SKERRY_REBALANCE_EVERY_MS', wholeNumberOr(0, 0, 604_800_000)),
  /** Percent of all replicas that each of them may move. */
  rebalancePercent: variable('SKERRY_REBALANCE_PERCENT', wholeNumberOr(5, 1, 100)),
} as const;
export type SchedulerConfig = ServiceConfig<typeof SCHEDULER_VARIABLES>;
