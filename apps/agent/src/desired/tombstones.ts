import { compareVersions, type Observed } from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import type { DesiredStore } from './desired-store.js';

/** How long a tombstone is kept after the hub stored that it was carried out: an older copy of the hub may speak yet. */
const KEPT_MS = 24 * 60 * 60_000;

/** Keeps tombstones for as long as an older assignment could still arrive. */
export class Tombstones {
  constructor(
    private readonly store: DesiredStore,
    private readonly log: Log,
  ) {}

  /** The hub has stored that nothing is left of this version. */
  acknowledged(report: Pick<Observed, 'project' | 'name' | 'version'>): void {
    const key = `${report.project}.${report.name}`;
    const held = this.store.get(key);
    if (held?.object.kind !== 'Tombstone' || held.acknowledgedAt !== undefined) return;
    if (compareVersions(held.object.version, report.version) !== 0) return;
    this.store.set(key, { ...held, acknowledgedAt: Date.now() }).catch((error: unknown) => {
      this.log.warn('an acknowledged tombstone was not marked', { workload: key, reason: reason(error) });
    });
  }

  /** Drops those acknowledged a day ago; returns whose they were. */
  async dropOld(now = Date.now()): Promise<{ project: string; name: string }[]> {
    const dropped: { project: string; name: string }[] = [];
    for (const [key, { object, acknowledgedAt }] of this.store.entries()) {
      if (object.kind !== 'Tombstone' || acknowledgedAt === undefined || now - acknowledgedAt < KEPT_MS)
        continue;
      await this.store.drop(key);
      dropped.push({ project: object.project, name: object.name });
    }
    return dropped;
  }
}
