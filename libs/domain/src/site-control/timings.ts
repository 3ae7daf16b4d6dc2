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
 * before the end, 13.5 s after the last lease, so that SIGKILL has done its work when the lease is over. Whoever gives the
 * singleton to another node or site waits `leaseMs * (1 + clockShare)`, 20.25 s, from the last beat or ping it may have
 * answered. Assumed of clocks is that their rates differ by less than `clockShare`; what time they show does not matter.
 */
export const SINGLETON_LEASE = {
  /** Until stopping begins there is time for the hub to have no leader (4 to 9 s): owners need not stop for an election. */
  leaseMs: 18_000,
  /** Longest time that a singleton is given to end by itself when its lease runs out. */
  graceMs: 3_000,
  /** Until an agent that looks twice a second has seen that it has to stop, and until a keeper has looked once. */
  marginMs: 1_500,
  /** How often a keeper looks whether its agent has let the lease run out. */
  keeperLooksMs: 1_000,
  clockShare: 1 / 8,
  /** Epochs, and losses of a site, in one term of the hub: a restored hub goes on above what its backup does not know of. */
  perTerm: 1_000_000,
} as const;

/**
 * What a site's server has said that it stored it may lose when it ends, if that was within the last second: until then not
 * all of it need be on its disk. So a node begins a singleton that it was given only when the server says so still after
 * `firmAfterMs` of the node's clock: what it says then it cannot forget any more, and nobody else can have been given it.
 */
export const SERVER_MEMORY = {
  forgetsMs: 1_000,
  firmAfterMs: 1_000 * (1 + SINGLETON_LEASE.clockShare),
} as const;

/** Of a lease that counts from `sentAtMs`: when a singleton has to begin to stop, when its keeper kills it, and when it may not run any more. */
export function leaseOf(sentAtMs: number): { stopAtMs: number; killAtMs: number; untilMs: number } {
  const { leaseMs, graceMs, marginMs, keeperLooksMs } = SINGLETON_LEASE;
  const untilMs = sentAtMs + leaseMs;
  return { stopAtMs: untilMs - graceMs - marginMs, killAtMs: untilMs - keeperLooksMs, untilMs };
}

/** From when on nobody can hold a lease that was last renewed by an answer at `answeredAtMs`. */
export function leaseOverAt(answeredAtMs: number): number {
  return answeredAtMs + SINGLETON_LEASE.leaseMs * (1 + SINGLETON_LEASE.clockShare);
}
