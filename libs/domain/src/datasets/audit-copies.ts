import { COPY_AUDIT, type CopyAudit, type CopyEvent, type RefusedAccess } from '@skerry/contracts';

/** The record with one event more; undefined when the newest says the same already. */
export function withCopyEvent(audit: CopyAudit, event: CopyEvent): CopyAudit | undefined {
  const last = audit.events.at(-1);
  const nothing = last === undefined && event.what === 'taken';
  const known =
    last?.what === event.what &&
    last.incarnation === event.incarnation &&
    last.rule === event.rule &&
    last.jurisdictions.join() === event.jurisdictions.join();
  // What was taken away once is taken away, for whatever further reason.
  const gone = last?.what === 'taken' && event.what === 'taken';
  if (nothing || known || gone) return undefined;
  return { ...audit, events: [...audit.events, event].slice(-COPY_AUDIT.events) };
}

/** The record with refusals more: the same is counted, and of those that are too many the oldest is forgotten. */
export function withRefusals(audit: CopyAudit, refused: readonly RefusedAccess[]): CopyAudit {
  const all = new Map(audit.refusals.map((one) => [keyOf(one), one]));
  for (const one of refused) {
    const before = all.get(keyOf(one));
    all.delete(keyOf(one));
    all.set(
      keyOf(one),
      before === undefined ? one : { ...one, first: before.first, count: before.count + one.count },
    );
  }
  return { ...audit, refusals: [...all.values()].slice(-COPY_AUDIT.refusals) };
}

function keyOf({ what, by, why }: RefusedAccess): string {
  return JSON.stringify([what, by, why]);
}
