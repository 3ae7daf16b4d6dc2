import type { Placement, Share, Workload } from '@skerry/contracts';
import { SINGLETON_LEASE } from '../site-control/timings.js';
import { ownershipEndsAt } from './checks/readiness.js';
import type { Snapshot } from './types.js';

/**
 * Who owns a singleton, as each decision leaves it; the rule is in `liveness/lease.ts`. A placement that names another site
 * has a higher epoch, over restores of the hub too.
 */

interface OwnershipInput {
  readonly workload: Workload;
  readonly previous: Placement | undefined;
  readonly snapshot: Pick<Snapshot, 'sites'>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly term: number;
}

/** Epochs and losses of one term of the hub: what was told after a backup was made is below that of the next term. */
const PER_TERM = SINGLETON_LEASE.perTerm;

/** Who may own it, and where it has to end before. Nothing for what is no singleton. */
export function ownershipOf(
  shares: readonly Share[],
  input: OwnershipInput,
): Pick<Placement, 'owner' | 'after'> {
  if (input.workload.spec.type !== 'singleton') return {};
  const owner = ownerOf(shares, input);
  const after = endsFirst(shares, input);
  return { ...(owner ? { owner } : {}), ...(after.length === 0 ? {} : { after }) };
}

/** The same site may own it, and knows of as many losses. */
export function sameOwner(a: Placement['owner'], b: Placement['owner']): boolean {
  return a?.site === b?.site && a?.epoch === b?.epoch && a?.losses === b?.losses;
}

function ownerOf(shares: readonly Share[], { previous, snapshot, term }: OwnershipInput): Placement['owner'] {
  const [share] = shares;
  const before = previous?.owner;
  // Who had it last stays on record: the next one's epoch is above.
  if (!share) return before;
  const state = snapshot.sites.find((s) => s.name === share.site)?.state;
  // A site that gave it up in between counts its own moves anew: only a higher epoch keeps the numbers rising.
  const held = previous?.shares.some((s) => s.site === share.site) === true;
  const same = held && before?.site === share.site;
  // Only a site that is known to be back may go on: of a silent one it is not known what it will find when it is.
  const base = (term - 1) * PER_TERM;
  const knows = state?.phase === 'ready' ? Math.max(base, state.losses ?? 0) : same ? before.losses : 0;
  // In a new term not even who has it still keeps its epoch: since the backup another may have had a higher one.
  if (same && before.epoch > base) return { ...before, losses: knows };
  return { site: share.site, epoch: Math.max(base, before?.epoch ?? 0) + 1, losses: knows };
}

/**
 * Sites where it may still run and has to end first. A lost one has ended it by itself when its time has come; so has one that
 * was forced out, which the snapshot holds as lost for so long.
 */
function endsFirst(
  shares: readonly Share[],
  { previous, workload, snapshot, now }: OwnershipInput,
): string[] {
  if (!previous) return [];
  const chosen = new Set(shares.map((s) => s.site));
  const before = new Set([...previous.shares.map((s) => s.site), ...(previous.after ?? [])]);
  return snapshot.sites
    .filter((facts) => before.has(facts.name) && !chosen.has(facts.name))
    .filter((facts) => ownershipEndsAt(facts, workload) > now)
    .map(({ name }) => name)
    .toSorted();
}
