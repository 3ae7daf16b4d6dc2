import { INTAKE_QUOTA, LIVENESS_TIMINGS } from '@skerry/domain';
import { variable, wholeNumberOr, type ServiceConfig } from '@skerry/service';

const { suspectAfterMs, lostAfterMs, regainGraceMs } = LIVENESS_TIMINGS;

/** What inventory is told beside what every service is told. */
export const INVENTORY_VARIABLES = {
  /** Silence after which a site gets no new work. */
  suspectAfterMs: variable('SKERRY_SUSPECT_AFTER_MS', wholeNumberOr(suspectAfterMs, 500, 600_000)),
  /** Silence after which a site's work is placed elsewhere. */
  lostAfterMs: variable('SKERRY_LOST_AFTER_MS', wholeNumberOr(lostAfterMs, 1_000, 3_600_000)),
  /** How much longer sites get to be heard after this service could not hear them, or has just started. */
  regainGraceMs: variable('SKERRY_REGAIN_GRACE_MS', wholeNumberOr(regainGraceMs, 0, 600_000)),
  /** How long a site that floods is cut off. */
  cutOffMs: variable('SKERRY_CUT_OFF_MS', wholeNumberOr(INTAKE_QUOTA.cutOffForMs, 1_000, 3_600_000)),
} as const;
export type InventoryConfig = ServiceConfig<typeof INVENTORY_VARIABLES>;
