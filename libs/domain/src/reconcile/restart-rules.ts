import type { Action, Ending, HeldReplica, Wanted } from './reconcile-types.js';

/**
 * What becomes of a replica that ended. A code of 0 completes it unless the policy is `always`; anything else, an
 * unknown code included, is a failure: running again is better than believing in a success that nobody saw.
 */
export function afterEnd(h: HeldReplica, wanted: Wanted, nowMs: number): Action {
  if (h.ending?.cause === 'set-aside') return { kind: 'start', slot: h.slot, fresh: false };
  const succeeded = succeededBy(h.ending);
  if (succeeded && wanted.policy !== 'always') return { kind: 'settle', slot: h.slot, phase: 'completed' };
  if (!succeeded && wanted.policy === 'never') return { kind: 'settle', slot: h.slot, phase: 'failed' };
  // One that stayed up for longer than the longest wait has recovered: its count begins again.
  const streak = h.sinceMs - h.startedAtMs >= wanted.maxBackoffMs ? 0 : h.streak;
  return { kind: 'backoff', slot: h.slot, retryAtMs: nowMs + backoffMs(wanted, streak), streak: streak + 1 };
}

/** The wait before start number `streak + 1`: doubled each time, from `backoffMs` up to `maxBackoffMs`. */
export function backoffMs(limits: { backoffMs: number; maxBackoffMs: number }, streak: number): number {
  return Math.min(
    limits.backoffMs * 2 ** Math.min(streak, 30),
    Math.max(limits.maxBackoffMs, limits.backoffMs),
  );
}

function succeededBy(ending: Ending | undefined): boolean {
  return ending?.cause === 'exited' && ending.code === 0;
}
