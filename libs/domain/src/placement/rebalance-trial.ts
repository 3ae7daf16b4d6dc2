import type { Resources } from '@skerry/contracts';
import type { Holding } from './ledger.js';
import type { Counts } from './rebalance-steps.js';
import { replicaRange } from './replica-range.js';
import { balance, fullest } from './terms/balance.js';
import type { LedgerView, PlaceRequest } from './types.js';
import { DEFAULT_WEIGHTS } from './weights.js';

/** A ledger on which changes are tried: what each workload holds may be replaced, and put back exactly. `Ledger` is one. */
export interface TrialLedger extends LedgerView {
  hold(key: string, need: Resources, shares: readonly { site: string; replicas: number }[]): void;
  release(key: string): readonly string[];
  detach(key: string): ReadonlyMap<string, Holding>;
  attach(key: string, holdings: ReadonlyMap<string, Holding>): void;
}

interface Tenant {
  readonly request: PlaceRequest;
  counts: Counts;
}

/** Changes of what workloads hold, tried on a ledger one after the other; `restore` puts back what was held before. */
export class Trial {
  readonly #tenants = new Map<string, Tenant>();
  readonly #keysAt = new Map<string, Set<string>>();
  /** What changed workloads held at first. */
  readonly #first = new Map<string, ReadonlyMap<string, Holding>>();
  #undo: (() => void) | undefined;

  constructor(private readonly ledger: TrialLedger) {}

  /** Tells of a workload and of what it holds; changes nothing. */
  add(key: string, request: PlaceRequest, counts: Counts): void {
    this.#tenants.set(key, { request, counts });
    this.#index(key, counts);
  }

  /** What a workload holds by now. */
  counts(key: string): Counts {
    return this.#tenants.get(key)?.counts ?? new Map<string, number>();
  }

  /** Holds other counts for a workload; returns what the others at its sites lose by it (or gain, below 0), in currency units a month. */
  change(key: string, counts: Counts): number {
    const tenant = this.#tenants.get(key);
    if (!tenant) return 0;
    const before = tenant.counts;
    const sites = [...new Set([...before.keys(), ...counts.keys()])].filter(
      (site) => before.get(site) !== counts.get(site),
    );
    const crowded = this.#crowding(sites, key);
    const held = this.ledger.detach(key);
    if (!this.#first.has(key)) this.#first.set(key, held);
    const shares = [...counts].map(([site, replicas]) => ({ site, replicas }));
    this.ledger.hold(key, tenant.request.workload.spec.resources, shares);
    tenant.counts = counts;
    this.#index(key, counts);
    this.#undo = () => {
      this.ledger.release(key);
      this.ledger.attach(key, held);
      tenant.counts = before;
    };
    return this.#crowding(sites, key) - crowded;
  }

  /** Takes back the last change, once. */
  undo(): void {
    this.#undo?.();
    this.#undo = undefined;
  }

  /** Leaves the ledger as it was found. */
  restore(): void {
    for (const key of this.#first.keys()) this.ledger.release(key);
    for (const [key, held] of this.#first) this.ledger.attach(key, held);
    this.#first.clear();
  }

  #index(key: string, counts: Counts): void {
    for (const site of counts.keys()) {
      const keys = this.#keysAt.get(site);
      if (keys) keys.add(key);
      else this.#keysAt.set(site, new Set([key]));
    }
  }

  /** The balance term of all workloads at some sites but one: the only term that depends on what others hold. */
  #crowding(sites: readonly string[], except: string): number {
    let sum = 0;
    for (const site of sites) {
      for (const key of this.#keysAt.get(site) ?? []) {
        const tenant = this.#tenants.get(key);
        const replicas = tenant?.counts.get(site) ?? 0;
        if (key !== except && tenant && replicas > 0)
          sum += this.#balanceOf(key, tenant.request, site, replicas);
      }
    }
    return sum;
  }

  #balanceOf(key: string, { workload, weights }: PlaceRequest, site: string, replicas: number): number {
    const { placement, resources } = workload.spec;
    const { taken, perReplica } = this.ledger.use(site, resources, key);
    let sum = 0;
    for (let nth = 1; nth <= replicas; nth += 1) sum += fullest(taken, perReplica, nth);
    return (sum / Math.max(1, replicaRange(placement).min)) * balance.weight(weights ?? DEFAULT_WEIGHTS);
  }
}
