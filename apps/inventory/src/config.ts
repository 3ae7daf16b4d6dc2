import { INTAKE_QUOTA, LIVENESS_TIMINGS } from '@skerry/domain';
import { variable, wholeNumberOr, type ServiceConfig } from '@skerry/service';

const {
  suspectAfterMs,
  lostAfterMs,
  regainGraceMs,
  lossWindowMs,
  brakeShare,
  movesShareAMinute,
  movesAMinute,
} = LIVENESS_TIMINGS;

/** What inventory is told beside what every service is told. */
export const INVENTORY_VARIABLES = {
  /** Silence after which a site gets no new work. */
  suspectAfterMs: variable('SKERRY_SUSPECT_AFTER_MS', wholeNumberOr(suspectAfterMs, 500, 600_000)),
  /** Silence after which a site's work is placed elsewhere. */
  lostAfterMs: variable('SKERRY_LOST_AFTER_MS', wholeNumberOr(lostAfterMs, 1_000, 3_600_000)),
  /** How much longer sites get to be heard after this service could not hear them, or has just started. */
  regainGraceMs: variable('SKERRY_REGAIN_GRACE_MS', wholeNumberOr(regainGraceMs, 0, 600_000)),
  /** When more than this percentage of the sites (and at least two) falls silent at once, nothing is moved. */
  brakePercent: variable('SKERRY_BRAKE_PERCENT', wholeNumberOr(brakeShare * 100, 1, 100)),
  /** Percentage of all replicas that may be moved within a minute because their sites were lost ... */
  movesPercent: variable('SKERRY_MOVES_PERCENT_A_MINUTE', wholeNumberOr(movesShareAMinute * 100, 1, 100)),
  /** ... and how many in any case. */
  movesLeast: variable('SKERRY_MOVES_A_MINUTE', wholeNumberOr(movesAMinute, 1, 1_000_000)),
  /** A site lost again within this time is held down, longer with each loss; 0: never. */
  lossWindowMs: variable('SKERRY_LOSS_WINDOW_MS', wholeNumberOr(lossWindowMs, 0, 86_400_000)),
  /** The hub's term, as the scheduler has it. */
  hubTerm: variable('SKERRY_HUB_TERM', wholeNumberOr(1, 1, 1_000_000_000)),
  /** How long a site that floods is cut off. */
  cutOffMs: variable('SKERRY_CUT_OFF_MS', wholeNumberOr(INTAKE_QUOTA.cutOffForMs, 1_000, 3_600_000)),
} as const;
export type InventoryConfig = ServiceConfig<typeof INVENTORY_VARIABLES>;
