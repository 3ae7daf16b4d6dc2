import { Injectable } from '@nestjs/common';
import type { CapacityDigest, Resources } from '@skerry/contracts';
import { Ledger } from '@skerry/domain';
import { DecisionLogStore } from './decision-log.store.js';

type Shares = readonly { readonly site: string; readonly replicas: number }[];

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
   * Replaces what a workload holds; without `need` it holds nothing. Returns whether anything was given back at any site.
   * `logged`: the decision that it follows is in the log.
   */
  settle(key: string, need: Resources | undefined, shares: Shares, logged: boolean): boolean {
    const before = this.ledger.heldBy(key);
    const holds = need ? shares : [];
    const after = new Map(holds.map((s) => [s.site, s.replicas]));
    const freed = before.some((h) => h.replicas > (after.get(h.site) ?? 0));
    const sites = before.map((h) => h.site);
    if (need) this.ledger.hold(key, need, holds);
    else this.ledger.release(key);
    if (!logged) this.log.held(key, { need, shares: holds }, sites);
    return freed;
  }
}
