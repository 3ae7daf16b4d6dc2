import type { CapacityDigest, Resources } from '@skerry/contracts';
import { Ledger } from './ledger.js';
import type { HeldThere, LedgerView, Use } from './types.js';

/** A ledger in which holdings can be given up for a try: sites are copied when they are first touched, the rest is read through. */
export class TrialLedger implements LedgerView {
  readonly #own = new Ledger();
  readonly #copied = new Set<string>();

  constructor(
    private readonly base: LedgerView,
    private readonly capacityOf: (site: string) => CapacityDigest | undefined,
  ) {}

  /** What each workload holds at the site, as the try has it. */
  holdingsAt(site: string): ReadonlyMap<string, HeldThere> {
    return this.#at(site).holdingsAt?.(site) ?? new Map<string, HeldThere>();
  }

  /** Has a workload hold so many replicas more (or fewer, when negative) at one site. */
  change(site: string, key: string, replicas: number): void {
    this.#copy(site);
    const before = this.base.holdingsAt?.(site).get(key);
    const now = this.#own.holdingsAt(site).get(key)?.replicas ?? 0;
    if (before) this.#own.holdAt(site, key, { ...before, replicas: Math.max(0, now + replicas) });
  }

  fitting(site: string, need: Resources, limit: number, except?: string): number {
    return this.#at(site).fitting(site, need, limit, except);
  }

  use(site: string, need: Resources, except?: string): { taken: Use; perReplica: Use } {
    return this.#at(site).use(site, need, except);
  }

  heldBy(key: string): readonly { readonly site: string; readonly replicas: number }[] {
    return this.base.heldBy(key).flatMap(({ site, replicas }) => {
      const left = this.#copied.has(site) ? (this.#own.holdingsAt(site).get(key)?.replicas ?? 0) : replicas;
      return left > 0 ? [{ site, replicas: left }] : [];
    });
  }

  #at(site: string): LedgerView {
    return this.#copied.has(site) ? this.#own : this.base;
  }

  #copy(site: string): void {
    if (this.#copied.has(site)) return;
    const capacity = this.capacityOf(site);
    if (capacity) this.#own.setCapacity(site, capacity);
    for (const [key, held] of this.base.holdingsAt?.(site) ?? []) this.#own.holdAt(site, key, held);
    this.#copied.add(site);
  }
}
