import { leaseOf, leaseOverAt, SINGLETON_LEASE } from '../site-control/timings.js';
import { CUT_OFF_MS } from './timings.js';

/**
 * Who may own what must be single (a workload of type `singleton`): at most one site at any moment, under any partition.
 *
 * **At the site.** The hub's answer to a ping is a lease (`SINGLETON_LEASE`): it counts from the moment the ping was SENT, by
 * the site's own monotonic clock. An owner that is not covered any more (`mayOwn`) is stopped, early enough to have ended when
 * the lease has; an agent that starts has no lease but one that it wrote down under the same boot of its machine. What an agent
 * that is dead or stands still does not stop is killed by its keeper, which counts by the machine's uptime.
 * **Between the nodes of a site.** Its controller passes the lease on, to nodes that act on all that it knows of allotments: who
 * returns may be behind. A singleton is taken from a node in one write of the site's bucket and given to another in the next,
 * once the first one has said, after it knew of the first write, that it has ended, or its lease must be over. And a node begins
 * what it was given only when the site's server says so still after longer than it can forget (`SERVER_MEMORY`): a server that
 * has lost its last second may name an earlier owner, and who comes between has then never begun. So epochs rise too.
 * **At the centre.** One instance of inventory gives leases, by a lease of its own; it gives none to a site that it has
 * declared lost. With the loss it writes for how long before no lease was given (`SiteState.silentMs`), counted by its
 * monotonic clock from the last lease that it gave, and from when it took over when that is later: an earlier instance
 * may have given one until then. The scheduler counts on from when it heard of the loss, by its own monotonic clock, and gives the
 * owner to another site after `ownershipEndedAfterMs`.
 * **The site is back.** A loss is counted (`SiteState.losses`), and every lease names the count. It covers an owner only
 * when the assignment knows of as many losses, so a site that hears the hub again goes on as owner only when the scheduler,
 * which has the last word and writes by a fence, has said so after the loss: with the same epoch when nobody else was
 * owner, else the site gets a tombstone.
 *
 * **The hub is restored.** Its backup does not know to whom a singleton went since. Leases of the new term, whose losses are
 * counted above those of the one before, cover no earlier assignment: every owner ends. And no site lets one begin within
 * `OWNERSHIP_ENDED_AFTER_MS` from when it first heard of that term: whoever had a lease of the hub before, cut off or not, has
 * none any more by then. Assumed is that this hub had ended when the next began to give leases.
 *
 * **A site that is forced out** gets no lease from then on: the scheduler sees it as lost since it heard of that, for as long.
 *
 * **Assumed** of a site's server: what it said a second ago that it stored it has on its disk.
 *
 * **Assumed** of clocks: the monotonic clocks of the site, of inventory and of the scheduler run at rates that differ by
 * less than an eighth, and go on while a process is stopped. Nothing is assumed of what time it is anywhere, but that a
 * scheduler which begins within the half minute after a site was forced out is not wrong about the time by half an hour. A
 * machine that is suspended as a whole, clock included, breaks this, as does a keeper that somebody stops: against these, and
 * against writes that are late on their way, a workload fences what it writes by the epoch that it is given.
 */

/** The newest lease that a site has. */
export interface Grant {
  /** When its ping was sent, ms of the site's monotonic clock. */
  readonly sentAtMs: number;
  /** How often the site had been declared lost. */
  readonly losses: number;
}

/** Whether the site may start or keep an owner now. `losses`: what its assignment says; 0 when it says nothing. */
export function mayOwn(nowMs: number, grant: Grant | undefined, losses: number): boolean {
  return grant !== undefined && nowMs < leaseOf(grant.sentAtMs).stopAtMs && grant.losses <= losses;
}

/** How long after the last lease an owner has ended, by any clock that is right about rates. */
export const OWNERSHIP_ENDED_AFTER_MS = leaseOverAt(0);

/** The same for a site by its agent's version: before 0.2 an owner began to stop after `CUT_OFF_MS`, with its own grace. */
export function ownershipEndedAfterMs(agentVersion: string | undefined, graceMs: number): number {
  if (agentVersion === undefined || !BEFORE_LEASES.test(agentVersion)) return OWNERSHIP_ENDED_AFTER_MS;
  return (CUT_OFF_MS + graceMs + KILL_MARGIN_MS) * (1 + SINGLETON_LEASE.clockShare);
}

const BEFORE_LEASES = /^0\.1\./;
const KILL_MARGIN_MS = 2_000;
