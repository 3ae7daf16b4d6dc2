/** Every time of failure detection, in one place. Milliseconds of one monotonic clock. */
export interface LivenessTimings {
  /** No heartbeat for this long: suspect, no new work. */
  suspectAfterMs: number;
  /** No heartbeat for this long: lost, its replicas are placed elsewhere. */
  lostAfterMs: number;
  /** Losses this recent count as vanished at once. */
  brakeWindowMs: number;
  /** More than this share of the sites (and at least `brakeSites`) vanishing at once is taken for our own fault. */
  brakeShare: number;
  brakeSites: number;
  /** Sites get this much longer to be heard after we could not hear them. */
  regainGraceMs: number;
  /** Longest time between two ticks; after more we were not running, so that heartbeats may be unread. */
  tickGapMs: number;
  /** A site that left `ready` this often within `flapWindowMs` ... */
  flaps: number;
  flapWindowMs: number;
  /** ... has to be heard this long without a pause before it is ready again. */
  holdDownMs: number;
  /** So has one that was lost for the second time within `lossWindowMs`; twice as long at each further loss, at most `holdDownMaxMs`. */
  lossWindowMs: number;
  holdDownMaxMs: number;
  /**
   * As many replicas may be moved within a minute because their sites were lost: this share of all that are placed, and at least
   * `movesAMinute`. One site's are moved together, so the last one may go beyond; the next waits, suspect, until there is room again.
   */
  movesShareAMinute: number;
  movesAMinute: number;
}

/** A heartbeat a second: two missed make a site suspect, five make it lost. */
export const LIVENESS_TIMINGS: LivenessTimings = {
  suspectAfterMs: 2_000,
  lostAfterMs: 5_000,
  brakeWindowMs: 10_000,
  brakeShare: 0.5,
  brakeSites: 2,
  regainGraceMs: 3_000,
  tickGapMs: 1_500,
  flaps: 3,
  flapWindowMs: 60_000,
  holdDownMs: 10_000,
  lossWindowMs: 600_000,
  holdDownMaxMs: 300_000,
  movesShareAMinute: 0.25,
  movesAMinute: 20,
};

/**
 * The centre gives a site up after `lostAfterMs`; a site that has not heard the hub for twice that takes itself for given
 * up, and stops what must not run elsewhere too.
 */
export const CUT_OFF_MS = 10_000;
/** An instance of inventory that gives no leases answers a ping this much later: the one that does comes first, when there is one. */
export const STANDBY_ANSWERS_AFTER_MS = 500;
