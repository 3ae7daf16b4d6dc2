import { Injectable } from '@nestjs/common';
import type { CapacityDigest, Resources } from '@skerry/contracts';
import { Ledger } from '@skerry/domain';
import { DecisionLogStore } from './decision-log.store.js';

type Shares = readonly { readonly site: string; readonly replicas: number }[];

/** Whose replicas they are: what each needs, and its priority. */
export interface Holder {
  readonly need: Resources;
  readonly priority: number;
}

/** The ledger of what is taken where. Whatever it goes through is logged while this instance decides. */
@Injectable()
export class HoldingsStore {
  readonly ledger = new Ledger();

  constructor(private readonly log: DecisionLogStore) {}

  /** Returns false when the nodes were the same already. The log has it with the site's state. */
  setCapacity(site: string, capacity: CapacityDigest): boolean {
    return this.ledger.setCapacity(site, capacity);
  }

  /**
   * Replaces what a workload holds; without `holder` it holds nothing. Returns whether anything was given back at any site.
   * `logged`: the decision that it follows is in the log.
   */
  settle(key: string, holder: Holder | undefined, shares: Shares, logged: boolean): boolean {
    const before = this.ledger.heldBy(key);
    const holds = holder ? shares : [];
    const after = new Map(holds.map((s) => [s.site, s.replicas]));
    const freed = before.some((h) => h.replicas > (after.get(h.site) ?? 0));
    const sites = before.map((h) => h.site);
    if (holder) this.ledger.hold(key, holder.need, holds, holder.priority);
    else this.ledger.release(key);
    // A workload that is new holds nothing yet: nothing has happened.
    const nothing = before.length === 0 && holds.length === 0;
    if (!logged && !nothing) this.log.held(key, { ...holder, shares: holds }, sites);
    return freed;
  }
}
