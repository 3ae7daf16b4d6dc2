import { variable, wholeNumberOr, type ServiceConfig } from '@skerry/service';

/** What replicator is told beside what every service is told. */
export const REPLICATOR_VARIABLES = {
  /** Between two looks whether `DL` is still there and has not gone back in time. */
  guardEveryMs: variable('SKERRY_GUARD_EVERY_MS', wholeNumberOr(1_000, 100, 60_000)),
  /** Between two comparisons of the sites' durable consumers with the sites. */
  tendEveryMs: variable('SKERRY_TEND_EVERY_MS', wholeNumberOr(30_000, 500, 600_000)),
  /** Between two looks for chunks that no object names; what none names over a whole interval is deleted. */
  sweepEveryMs: variable('SKERRY_SWEEP_EVERY_MS', wholeNumberOr(600_000, 100, 86_400_000)),
} as const;
export type ReplicatorConfig = ServiceConfig<typeof REPLICATOR_VARIABLES>;
