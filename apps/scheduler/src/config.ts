import { variable, wholeNumberOr, type ServiceConfig } from '@skerry/service';

/** What scheduler is told beside what every service is told. */
export const SCHEDULER_VARIABLES = {
  /** The hub's term: raise it by one when the hub is restored from a backup, so that what is then decided counts as newer. */
  hubTerm: variable('SKERRY_HUB_TERM', wholeNumberOr(1, 1, 1_000_000_000)),
} as const;
export type SchedulerConfig = ServiceConfig<typeof SCHEDULER_VARIABLES>;
