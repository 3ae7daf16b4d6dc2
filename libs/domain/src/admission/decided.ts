import { workloadKey, type Decided, type Workload } from '@skerry/contracts';
import { rejected, type Rejected } from './types.js';

/** How far apart the clocks may be by which two changes of one site are dated: each of a person who is within 5 min of the site. */
const CLOCKS_APART_S = 10 * 60;
/** Characters of a site's own id of a change. */
const OWN_ID_CHARS = 36;

/**
 * The id of the command that is made of a change at a site: the site (16 characters that stand for it alone), when the change
 * was asked for, and the site's own id of it. So a site can repeat or name its own changes and nobody else's.
 */
export function siteCommandId(mark: string, at: string, ownId: string): string {
  const seconds = Math.max(0, Math.floor(Date.parse(at) / 1_000));
  return `at-${mark}-${seconds.toString(36).padStart(7, '0')}-${ownId.slice(0, OWN_ID_CHARS)}`;
}

interface Ref {
  project: string;
  name: string;
}

/**
 * The refusal of a change that was decided at a site without the hub, when here something else was decided that the site did
 * not know: nothing that somebody changed here is overwritten unseen. What went before it from the same site is no hindrance,
 * and a change that was asked for earlier than that one comes too late: it was held back, or is sent a second time.
 */
export function refuseDecided(
  decided: Decided | undefined,
  requestId: string,
  asked: readonly { ref: Ref; known: Workload | undefined }[],
): Rejected | undefined {
  if (decided === undefined) return undefined;
  for (const { ref, known } of asked) {
    if (known !== undefined && wentBefore(known.requestId, requestId, decided.after)) continue;
    const why = whyNot(decided, decided.bases?.[workloadKey(ref.project, ref.name)], known);
    if (why === undefined) continue;
    return rejected('conflict', `${ref.project}/${ref.name} ${why}`, {
      hint: 'what was decided here counts; ask again if the change is still wanted',
    });
  }
  return undefined;
}

function whyNot(decided: Decided, base: number | undefined, known: Workload | undefined): string | undefined {
  if (base !== undefined) {
    if (known === undefined || known.removed) return 'was removed, and the site did not know';
    if (known.generation === base) return undefined;
    return `is at generation ${known.generation}, and the site decided over ${base} without knowing`;
  }
  if (known === undefined) return undefined;
  if (!known.removed) return 'was there already, and the site did not know of it';
  // A removal that the site could not know of: what was begun there goes with it.
  return Date.parse(known.updatedAt) > Date.parse(decided.at) ? 'was removed after that' : undefined;
}

/** Whether the request that made a workload what it is came from the same site, before this one. */
function wentBefore(earlier: string, later: string, after: readonly string[]): boolean {
  const [a, b] = [parts(earlier), parts(later)];
  if (a === undefined || b === undefined || a.mark !== b.mark || !after.includes(a.ownId)) return false;
  return a.seconds <= b.seconds + CLOCKS_APART_S;
}

function parts(id: string): { mark: string; seconds: number; ownId: string } | undefined {
  const [, mark, time, ownId] = /^at-([0-9a-f]{16})-([0-9a-z]{7})-(.+)$/.exec(id) ?? [];
  if (mark === undefined || time === undefined || ownId === undefined) return undefined;
  return { mark, seconds: parseInt(time, 36), ownId };
}
