import type { Copy, DatasetHome, DatasetSpec, Holder, OwnRecord } from '@skerry/contracts';
import { SINGLETON_LEASE } from '../site-control/timings.js';

/**
 * Which one site writes a dataset whose home goes with a singleton. The home follows where the workload is wanted, which is
 * never before it has ended elsewhere (`placement/ownership.ts`), in three steps: the old home closes (its copies are told, write
 * no more, and say so once the hub has all they wrote), the hub begins the next epoch and takes nothing of the old one any more,
 * and a copy at the new site may write when it has everything from before, and that is written down. A home that is cut off is
 * covered by its site's lease (`liveness/lease.ts`) and refuses by itself when that is over. What it wrote and the hub has not
 * got by then is kept where it was written, for people: it would come after what it never saw.
 */

/** Where the workload is wanted: the owner of its placement, once the site was told. */
export interface HomeWanted {
  readonly site: string;
  /** Its epoch as owner. */
  readonly owner: number;
  readonly losses: number;
}

/** What is known of the site that the home is at. */
export interface OldHome {
  /** The copy has said that it writes no more in this epoch and that the hub has all of it, or has been asked in vain for too long. */
  readonly hasEnded: (store: string) => boolean;
  /** It was lost, and the workload went elsewhere after the lease must have run out. */
  readonly leaseOver: boolean;
}

/** How long a copy that says nothing is waited for while a home closes, ms: longer than any lease of its site lasts. */
export const CLOSING_MS = 30_000;
/** How long one is waited for in all, whose writes the hub does not take. */
export const CLOSING_MAX_MS = 300_000;

/** The next state of a home; undefined: it stays as it is. `floor` is where the hub's records end. */
export function decideHome(
  home: DatasetHome | undefined,
  wanted: HomeWanted | undefined,
  old: OldHome,
  now: { floor: number; at: string; ref: Pick<DatasetHome, 'project' | 'name' | 'incarnation'> },
): DatasetHome | undefined {
  if (wanted === undefined) return undefined;
  if (home === undefined) return begun(wanted, Math.max(1, wanted.owner), now);
  if (wanted.owner === home.owner && home.closing === undefined)
    return wanted.losses > home.losses ? { ...home, losses: wanted.losses } : undefined;
  if (old.leaseOver || home.stores.every((store) => old.hasEnded(store)))
    return begun(wanted, Math.max(home.epoch + 1, wanted.owner), now);
  return home.closing === undefined ? { ...home, closing: true } : undefined;
}

function begun(
  { site, owner, losses }: HomeWanted,
  epoch: number,
  { floor, at, ref }: Parameters<typeof decideHome>[3],
): DatasetHome {
  const { project, name, incarnation } = ref;
  return {
    kind: 'DatasetHome',
    project,
    name,
    incarnation,
    site,
    epoch,
    owner,
    losses,
    floor,
    stores: [],
    since: at,
  };
}

/**
 * Whether a copy at the home may be given the pen: it has all from before, it writes no more in any epoch before, and nothing of
 * its own waits.
 */
export function mayWrite(
  home: DatasetHome,
  copy: { site: string; cursor: number; unsent: number; ended: number },
  head: number,
): boolean {
  // Beyond the end is a place in a stream that has lost its newest since.
  const whole = copy.cursor >= Math.min(home.floor, head) && copy.cursor <= head;
  const done = copy.unsent === 0 && copy.ended >= home.epoch - 1;
  return home.closing === undefined && copy.site === home.site && done && whole;
}

/** What a copy goes by that knew the one and is told the other: epochs only rise, and one that closes never opens again. */
export function laterHolder(known: Holder | undefined, told: Holder | undefined): Holder | undefined {
  if (known === undefined || told === undefined) return told ?? known;
  if (told.epoch !== known.epoch) return told.epoch > known.epoch ? told : known;
  const closing = known.closing === true || told.closing === true;
  const pen = !closing && (known.pen === true || told.pen === true);
  const { closing: _closing, pen: _pen, ...rest } = told;
  return {
    ...rest,
    losses: Math.max(known.losses, told.losses),
    ...(closing ? { closing } : {}),
    ...(pen ? { pen } : {}),
  };
}

/** The newest epoch in which a copy that goes by this writes no more, for good. */
export function endedEpoch({ epoch, closing }: Holder): number {
  return closing === true ? epoch : Math.max(0, epoch - 1);
}

/** Whether what was written in an epoch and the hub has not got is never taken any more. */
export function isEpochOver(epoch: number, holder: Holder): boolean {
  return epoch < holder.epoch && termOf(epoch) === termOf(holder.epoch);
}

/** Which term of the hub an epoch was given in, from 0 on (`placement/ownership.ts`). */
function termOf(epoch: number): number {
  return Math.floor(epoch / SINGLETON_LEASE.perTerm);
}

/** Why the hub does not take a record now: it is not of the present home. Undefined: it is. */
export function notOfHome(
  { key, state }: Pick<OwnRecord, 'key' | 'state'>,
  site: string,
  { holder }: Pick<Copy, 'holder'>,
): string | undefined {
  if (holder === undefined || state.rule !== 'single-writer') return undefined;
  if (holder.site === undefined) return `${key}: its home is with ${holder.with}, which is placed nowhere`;
  if (holder.site === site && holder.epoch === state.epoch) return undefined;
  // From before the hub was restored: what it had taken and has forgotten comes again, and merges by its epoch.
  // From any site with a copy: which were home since the backup is what the hub has forgotten with it.
  if (termOf(state.epoch) < termOf(holder.epoch)) return undefined;
  return `${key}: written in epoch ${state.epoch} at ${site}; its home is ${holder.site} in epoch ${holder.epoch}`;
}

/** The site that writes for ever; undefined: the home moves, or there is none. */
export function fixedHome({ home }: Pick<DatasetSpec, 'home'>): string | undefined {
  return typeof home === 'string' ? home : undefined;
}

/** The workload that the home goes with; undefined: it does not move. */
export function homeWith({ home }: Pick<DatasetSpec, 'home'>): string | undefined {
  return typeof home === 'object' ? home.with : undefined;
}

/** As people read it. */
export function homeInWords({ home }: Pick<DatasetSpec, 'home'>): string {
  if (home === undefined) return 'none';
  return typeof home === 'string' ? home : `with ${home.with}`;
}
