import { CUT_OFF_MS } from '../liveness/timings.js';

/** Every time of what the nodes of one site are to each other, in one place. Milliseconds of one monotonic clock. */
export interface NodeTimings {
  /** Each node says that it is alive this often, and so does the controller. */
  beatMs: number;
  /** Unheard for this long: takes nothing new. */
  suspectAfterMs: number;
  /** Unheard for this long: its replicas are given to other nodes. */
  lostAfterMs: number;
  /** Longest time between two looks; after more the controller itself stood still, so that beats may be unread. */
  tickGapMs: number;
  /** Nodes get this much longer to be heard after the controller could not hear them. */
  regainGraceMs: number;
  /** A node that was lost has to be heard for this long without a pause before it is given anything. */
  steadyMs: number;
  /** As `steadyMs`, for one that was lost `flaps` times within `flapWindowMs`. */
  holdDownMs: number;
  flaps: number;
  flapWindowMs: number;
}

/** Two beats a second: two missed make a node suspect, six make it lost. */
export const NODE_TIMINGS: NodeTimings = {
  beatMs: 500,
  suspectAfterMs: 1_250,
  lostAfterMs: 3_000,
  tickGapMs: 1_000,
  regainGraceMs: 1_000,
  steadyMs: 1_000,
  holdDownMs: 10_000,
  flaps: 3,
  flapWindowMs: 60_000,
};

/**
 * A singleton's node acts while it holds the site's lease: `leaseMs` from the moment at which it sent the beat that the
 * controller answered last, and never beyond what the controller has of the hub's. Stopping begins `graceMs + marginMs`
 * before the end, so that SIGKILL has done its work when the lease is over. Whoever gives the singleton to another node
 * waits `leaseMs * (1 + clockShare)` from the last beat it may have answered. Assumed of clocks is that their rates
 * differ by less than `clockShare`; what time they show does not matter.
 */
export const SINGLETON_LEASE = {
  leaseMs: CUT_OFF_MS,
  /** Longest time that a singleton is given to end by itself when its lease runs out. */
  graceMs: 3_000,
  marginMs: 1_000,
  clockShare: 1 / 8,
  /** Epochs, and losses of a site, in one term of the hub: a restored hub goes on above what its backup does not know of. */
  perTerm: 1_000_000,
} as const;

/** When a singleton has to begin to stop, and when it may not run any more, of a lease that counts from `sentAtMs`. */
export function leaseOf(sentAtMs: number): { stopAtMs: number; untilMs: number } {
  const untilMs = sentAtMs + SINGLETON_LEASE.leaseMs;
  return { stopAtMs: untilMs - SINGLETON_LEASE.graceMs - SINGLETON_LEASE.marginMs, untilMs };
}

/** From when on nobody can hold a lease that was last renewed by an answer at `answeredAtMs`. */
export function leaseOverAt(answeredAtMs: number): number {
  return answeredAtMs + SINGLETON_LEASE.leaseMs * (1 + SINGLETON_LEASE.clockShare);
}
