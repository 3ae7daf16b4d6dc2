import type { CapacityDigest, Resources } from '@skerry/contracts';
import { NodeBins } from './node-bins.js';
import type { LedgerView, Use } from './types.js';

/** One workload's part of a site: what it needs a replica and where the replicas fit. */
export interface Holding {
  readonly need: Resources;
  readonly replicas: number;
  /** Replicas by bin; fewer than `replicas` when the site has shrunk below what it holds. */
  readonly bins: ReadonlyMap<number, number>;
}
interface SiteRoom {
  capacity: CapacityDigest | undefined;
  bins: NodeBins;
  holdings: Map<string, Holding>;
}

const NOTHING: Use = [0, 0, 0];

/**
 * What Skerry has placed at every site, packed first fit into the nodes that the site's capacity digest describes. The site
 * itself chooses nodes; this says whether that can work out. All costs are by the site touched, not by what exists.
 */
export class Ledger implements LedgerView {
  readonly #rooms = new Map<string, SiteRoom>();
  readonly #sitesOf = new Map<string, string[]>();

  /** Sets the nodes of a site; what is held there is packed anew. Returns false when they were the same already. */
  setCapacity(site: string, capacity: CapacityDigest): boolean {
    const room = this.#room(site);
    if (room.capacity && sameShapes(room.capacity, capacity)) return false;
    room.capacity = capacity;
    room.bins = new NodeBins(capacity.shapes);
    // By key: the packing depends on what is held, not on the order in which it came.
    const held = [...room.holdings].toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, { need, replicas }] of held) {
      room.holdings.set(key, { need, replicas, bins: room.bins.take(need, replicas) });
    }
    return true;
  }

  /** Replaces everything that `key` holds. */
  hold(key: string, need: Resources, shares: readonly { site: string; replicas: number }[]): void {
    this.release(key);
    if (shares.length === 0) return;
    for (const { site, replicas } of shares) {
      const room = this.#room(site);
      room.holdings.set(key, { need, replicas, bins: room.bins.take(need, replicas) });
    }
    this.#sitesOf.set(
      key,
      shares.map((s) => s.site),
    );
  }

  /** Gives back everything that `key` holds; returns the sites where that was. */
  release(key: string): readonly string[] {
    const sites = this.#sitesOf.get(key) ?? [];
    for (const site of sites) {
      const room = this.#room(site);
      const holding = room.holdings.get(key);
      if (!holding) continue;
      room.bins.giveBack(holding.need, holding.replicas, holding.bins);
      room.holdings.delete(key);
    }
    this.#sitesOf.delete(key);
    return sites;
  }

  /** As `release`, with what it takes to put it back exactly where it was: for decisions that are tried and not made. */
  detach(key: string): ReadonlyMap<string, Holding> {
    const holdings = new Map<string, Holding>();
    for (const site of this.#sitesOf.get(key) ?? []) {
      const holding = this.#rooms.get(site)?.holdings.get(key);
      if (holding) holdings.set(site, holding);
    }
    this.release(key);
    return holdings;
  }

  /** Undoes `detach`, once everything that was held since is released. */
  attach(key: string, holdings: ReadonlyMap<string, Holding>): void {
    this.release(key);
    for (const [site, holding] of holdings) {
      const room = this.#room(site);
      room.bins.putBack(holding.need, holding.replicas, holding.bins);
      room.holdings.set(key, holding);
    }
    if (holdings.size > 0) this.#sitesOf.set(key, [...holdings.keys()]);
  }

  /** What a workload holds where. */
  heldBy(key: string): { site: string; replicas: number }[] {
    return (this.#sitesOf.get(key) ?? []).map((site) => ({
      site,
      replicas: this.#rooms.get(site)?.holdings.get(key)?.replicas ?? 0,
    }));
  }

  /** Workloads that hold something at the site. */
  keysAt(site: string): Iterable<string> {
    return this.#rooms.get(site)?.holdings.keys() ?? [];
  }

  replicasAt(site: string): number {
    let sum = 0;
    for (const holding of this.#rooms.get(site)?.holdings.values() ?? []) sum += holding.replicas;
    return sum;
  }

  /** True when more is held than the nodes of the site could take. */
  overfull(site: string): boolean {
    for (const { replicas, bins } of this.#rooms.get(site)?.holdings.values() ?? []) {
      let packed = 0;
      for (const n of bins.values()) packed += n;
      if (packed < replicas) return true;
    }
    return false;
  }

  fitting(site: string, need: Resources, limit: number, except?: string): number {
    const room = this.#rooms.get(site);
    if (!room?.capacity) return 0;
    return room.bins.fitting(need, limit, except === undefined ? undefined : room.holdings.get(except));
  }

  use(site: string, need: Resources, except?: string): { taken: Use; perReplica: Use } {
    const room = this.#rooms.get(site);
    if (!room) return { taken: NOTHING, perReplica: NOTHING };
    return room.bins.use(need, except === undefined ? undefined : room.holdings.get(except));
  }

  #room(site: string): SiteRoom {
    const known = this.#rooms.get(site);
    if (known) return known;
    const made: SiteRoom = { capacity: undefined, bins: new NodeBins([]), holdings: new Map() };
    this.#rooms.set(site, made);
    return made;
  }
}

function sameShapes(a: CapacityDigest, b: CapacityDigest): boolean {
  return (
    a.shapes.length === b.shapes.length &&
    a.shapes.every((s, i) => {
      const t = b.shapes[i];
      return (
        t !== undefined &&
        s.nodes === t.nodes &&
        s.cpuMillicores === t.cpuMillicores &&
        s.memoryMiB === t.memoryMiB &&
        s.diskMiB === t.diskMiB
      );
    })
  );
}
