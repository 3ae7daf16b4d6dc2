import { workloadKey, type DatasetHome, type DatasetRef } from '@skerry/contracts';
import { CLOSING_MAX_MS, CLOSING_MS } from '@skerry/domain';

/** What a copy said last. */
interface Said {
  /** The newest epoch in which it writes no more, and of which the hub has all. */
  ended: number;
  /** Monotonic ms. */
  atMs: number;
}

/** One epoch of a home. */
interface Known {
  of: string;
  /** Since when this instance knows that it closes; monotonic ms. */
  closingMs?: number;
  /** By store. */
  readonly said: Map<string, Said>;
}

/**
 * What the copies at a home say of whether they still write. Each site speaks for its own home alone, of stores that have the pen in
 * its present epoch: so there is one entry for a dataset, with `storesPerKey` words at most.
 */
export class OldHomes {
  private readonly homes = new Map<string, Known>();
  private hearsSinceMs = 0;

  /** Before this moment this instance could hear nobody; monotonic ms. */
  hearsSince(nowMs: number): void {
    this.hearsSinceMs = nowMs;
  }

  heard(
    home: DatasetHome,
    { site, store, unsent, ended }: { site: string; store: string; unsent: number; ended: number },
    nowMs: number,
  ): void {
    if (site !== home.site || !home.stores.includes(store)) return;
    this.known(home).said.set(store, { ended: unsent === 0 ? ended : 0, atMs: nowMs });
  }

  /** Notes since when it closes. */
  look(home: DatasetHome, nowMs: number): void {
    const known = this.known(home);
    if (home.closing === true) known.closingMs ??= nowMs;
  }

  /** Whether a copy writes no more in this epoch and the hub has all of it, or was asked in vain for too long. */
  hasEnded(home: DatasetHome, store: string, nowMs: number): boolean {
    const { said, closingMs = nowMs } = this.known(home);
    const word = said.get(store);
    if (word !== undefined && word.ended >= home.epoch) return true;
    const { hearsSinceMs } = this;
    if (nowMs - hearsSinceMs <= CLOSING_MS) return false;
    const silentMs = nowMs - Math.max(closingMs, hearsSinceMs, word?.atMs ?? 0);
    return silentMs > CLOSING_MS || nowMs - closingMs > CLOSING_MAX_MS;
  }

  /** The dataset is no more. */
  forget({ project, name }: Pick<DatasetRef, 'project' | 'name'>): void {
    this.homes.delete(workloadKey(project, name));
  }

  clear(): void {
    this.homes.clear();
  }

  private known({ project, name, incarnation, epoch }: DatasetHome): Known {
    const key = workloadKey(project, name);
    const of = `${incarnation} ${epoch}`;
    const before = this.homes.get(key);
    if (before?.of === of) return before;
    const known = { of, said: new Map<string, Said>() };
    this.homes.set(key, known);
    return known;
  }
}
