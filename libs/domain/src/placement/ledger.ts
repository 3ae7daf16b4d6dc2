import type { CapacityDigest, Resources } from '@skerry/contracts';
import { NodeBins, replicasIn, type Packing } from './node-bins.js';
import { gpuMilliOf } from './nodes/node-room.js';
import { sameShapes } from './nodes/same-shapes.js';
import type { HeldThere, LedgerView, Use } from './types.js';

/** One workload's part of a site: what it needs a replica and where the replicas fit. */
export interface Holding {
  readonly need: Resources;
  readonly replicas: number;
  /** Of the workload; 0 when absent. A higher one may take its room. */
  readonly priority?: number;
  /** On which nodes, and on which GPUs of them; fewer than `replicas` when the site has shrunk below what it holds. */
  readonly packing: Packing;
}
interface SiteRoom {
  capacity: CapacityDigest | undefined;
  bins: NodeBins;
  holdings: Map<string, Holding>;
  /** Where its summary is; stale when something was taken or given back since. */
  readonly slot: number;
}

/** Numbers of a site's summary: what `mostFree` says. */
const SUMMARY = 6;

/** Numbers of a site's use: four fractions taken, and four that one replica would take. */
const USES = 8;

const NO_HOLDINGS: ReadonlyMap<string, Holding> = new Map();
const NOTHING: Use = [0, 0, 0, 0];

/**
 * What Skerry has placed at every site, packed into the nodes that the site's capacity digest describes: cpu, memory, disk,
 * whole GPUs of one node, and shares of one GPU. The site itself chooses nodes; this says whether that can work out. All
 * costs are by the site touched, not by what exists.
 */
export class Ledger implements LedgerView {
  readonly #rooms = new Map<string, SiteRoom>();
  readonly #bySlot: SiteRoom[] = [];
  readonly #sitesOf = new Map<string, string[]>();
  /** By slot: the freest of each site's nodes, and whether that is still so; for answers about all sites at once. */
  #summaries = new Float64Array(0);
  #stale = new Uint8Array(0);
  readonly #slots = new WeakMap<readonly { name: string }[], { rooms: number; of: Int32Array }>();

  /** Sets the nodes of a site; what is held there is packed anew. Returns false when they were the same already. */
  setCapacity(site: string, capacity: CapacityDigest): boolean {
    const room = this.#room(site);
    if (room.capacity && sameShapes(room.capacity.shapes, capacity.shapes)) return false;
    room.capacity = capacity;
    room.bins = new NodeBins(capacity.shapes);
    this.#stale[room.slot] = 1;
    // Largest first, then by key: the packing depends on what is held, not on the order in which it came.
    for (const [key, held] of [...room.holdings].toSorted(largestFirst)) {
      room.holdings.set(key, { ...held, packing: room.bins.take(held.need, held.replicas) });
    }
    return true;
  }

  /** Replaces everything that `key` holds. */
  hold(
    key: string,
    need: Resources,
    shares: readonly { site: string; replicas: number }[],
    priority = 0,
  ): void {
    this.release(key);
    if (shares.length === 0) return;
    for (const { site, replicas } of shares) {
      const room = this.#room(site);
      const packing = room.bins.take(need, replicas);
      room.holdings.set(key, { need, replicas, packing, ...(priority > 0 ? { priority } : {}) });
      this.#stale[room.slot] = 1;
    }
    this.#sitesOf.set(
      key,
      shares.map((s) => s.site),
    );
  }

  /** Replaces what `key` holds at one site; none when `replicas` is 0. */
  holdAt(site: string, key: string, held: HeldThere): void {
    const room = this.#room(site);
    const before = room.holdings.get(key);
    if (before) room.bins.giveBack(before);
    room.holdings.delete(key);
    const { need, replicas, priority } = held;
    if (replicas > 0) {
      const packing = room.bins.take(need, replicas);
      room.holdings.set(key, { need, replicas, packing, ...(priority ? { priority } : {}) });
    }
    this.#stale[room.slot] = 1;
    const others = (this.#sitesOf.get(key) ?? []).filter((other) => other !== site);
    this.#sitesOf.set(key, replicas > 0 ? [...others, site] : others);
  }

  /** Gives back everything that `key` holds; returns the sites where that was. */
  release(key: string): readonly string[] {
    const sites = this.#sitesOf.get(key) ?? [];
    for (const site of sites) {
      const room = this.#room(site);
      const holding = room.holdings.get(key);
      if (!holding) continue;
      room.bins.giveBack(holding);
      this.#stale[room.slot] = 1;
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
      room.bins.putBack(holding);
      this.#stale[room.slot] = 1;
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

  /** What each workload holds at the site. Holdings never change: they are replaced. */
  holdingsAt(site: string): ReadonlyMap<string, Holding> {
    return this.#rooms.get(site)?.holdings ?? NO_HOLDINGS;
  }

  replicasAt(site: string): number {
    let sum = 0;
    for (const holding of this.#rooms.get(site)?.holdings.values() ?? []) sum += holding.replicas;
    return sum;
  }

  /** True when more is held than the nodes of the site could take. */
  overfull(site: string): boolean {
    for (const { need, replicas, packing } of this.#rooms.get(site)?.holdings.values() ?? []) {
      if (replicasIn(need, packing) < replicas) return true;
    }
    return false;
  }

  fitting(site: string, need: Resources, limit: number, except?: string): number {
    const room = this.#rooms.get(site);
    if (!room?.capacity) return 0;
    return room.bins.fitting(need, limit, this.#own(room, except));
  }

  /** By index of site: 1 where at least one replica of `need` fits, 0 elsewhere. As `fitting`, for all at once and without `except`. */
  haveRoom(sites: readonly { name: string }[], need: Resources): Uint8Array {
    const found = new Uint8Array(sites.length);
    const slots = this.#slotsOf(sites);
    const { cpuMillicores: cpu, memoryMiB: memory, diskMiB: disk } = need;
    const some = this.#summaries;
    for (let i = 0; i < sites.length; i += 1) {
      const slot = slots[i] ?? -1;
      if (slot < 0) continue;
      if (this.#stale[slot] === 1) this.#summarise(sites[i]?.name ?? '', slot);
      const at = slot * SUMMARY;
      if (cpu > (some[at + 3] ?? 0) || memory > (some[at + 4] ?? 0) || disk > (some[at + 5] ?? 0)) continue;
      const fits =
        need.gpu === undefined &&
        cpu + memory + disk > 0 &&
        cpu <= (some[at] ?? 0) &&
        memory <= (some[at + 1] ?? 0) &&
        disk <= (some[at + 2] ?? 0);
      found[i] = fits || this.fitting(sites[i]?.name ?? '', need, 1) > 0 ? 1 : 0;
    }
    return found;
  }

  /** By index of site: as `fitting`, for all at once and without `except`. */
  fittingAll(sites: readonly { name: string }[], need: Resources, limit: number): Float64Array {
    const found = new Float64Array(sites.length);
    const slots = this.#slotsOf(sites);
    for (let i = 0; i < sites.length; i += 1) {
      const room = this.#bySlot[slots[i] ?? -1];
      if (room?.capacity) found[i] = room.bins.fitting(need, limit);
    }
    return found;
  }

  #slotsOf(sites: readonly { name: string }[]): Int32Array {
    const known = this.#slots.get(sites);
    if (known?.rooms === this.#rooms.size) return known.of;
    const of = Int32Array.from(sites, ({ name }) => this.#rooms.get(name)?.slot ?? -1);
    this.#slots.set(sites, { rooms: this.#rooms.size, of });
    return of;
  }

  #summarise(site: string, slot: number): void {
    this.#rooms.get(site)?.bins.mostFree(this.#summaries, slot * SUMMARY);
    this.#stale[slot] = 0;
  }

  /** By index of site: as `use` for all at once and without `except`, eight numbers each. */
  usesOf(sites: readonly { name: string }[], need: Resources): Float64Array {
    const found = new Float64Array(sites.length * USES);
    const slots = this.#slotsOf(sites);
    for (let i = 0; i < sites.length; i += 1)
      this.#bySlot[slots[i] ?? -1]?.bins.usesInto(found, i * USES, need);
    return found;
  }

  use(site: string, need: Resources, except?: string): { taken: Use; perReplica: Use } {
    const room = this.#rooms.get(site);
    if (!room) return { taken: NOTHING, perReplica: NOTHING };
    return room.bins.use(need, this.#own(room, except));
  }

  /** Most of what is decided holds nothing anywhere: one look then answers for every site. */
  #own(room: SiteRoom, except: string | undefined): Holding | undefined {
    return except === undefined || !this.#sitesOf.has(except) ? undefined : room.holdings.get(except);
  }

  #room(site: string): SiteRoom {
    const known = this.#rooms.get(site);
    if (known) return known;
    const slot = this.#rooms.size;
    const made: SiteRoom = { capacity: undefined, bins: new NodeBins([]), holdings: new Map(), slot };
    this.#rooms.set(site, made);
    this.#bySlot.push(made);
    if (slot >= this.#stale.length) this.#makeSlots(2 * slot + 64);
    this.#stale[slot] = 1;
    return made;
  }

  #makeSlots(size: number): void {
    const [summaries, stale] = [this.#summaries, this.#stale];
    this.#summaries = new Float64Array(size * SUMMARY);
    this.#summaries.set(summaries);
    this.#stale = new Uint8Array(size);
    this.#stale.set(stale);
  }
}

/** What is hard to place goes first: GPUs, then memory, then cpu of one replica. */
function largestFirst([a, { need: x }]: [string, Holding], [b, { need: y }]: [string, Holding]): number {
  return (
    gpuMilliOf(y.gpu) - gpuMilliOf(x.gpu) ||
    y.memoryMiB - x.memoryMiB ||
    y.cpuMillicores - x.cpuMillicores ||
    (a < b ? -1 : 1)
  );
}
