import { GainSelection } from './gain-selection.js';
import { Handovers, NOTHING } from './handovers.js';

/** Paths that demand is sent along for each piece of it; beyond, what is left stays where it is cheapest. */
const PATHS_PER_PIECE_MAX = 32;
/**
 * By how much a way over another site has to be shorter. One that is as long as the direct way but for rounding hands on
 * the same users in small change, thousands of times.
 */
const DETOUR = 1e-11;

/**
 * Demand on its way to being served at the least cost with no site above its capacity: who is where, and the potentials that
 * keep every edge's reduced cost at or above 0 (Ahuja, Magnanti, Orlin, Network Flows, 1993, 9.7). What is above the
 * capacities is sent along shortest paths to where there is room.
 */
export class Serving {
  readonly handovers = new Handovers();
  load = new Float64Array(0);
  capacity = new Float64Array(0);
  potential = new Float64Array(0);
  /** The potential of every site with room; that of the others is no higher. */
  top = 0;
  /** Of what is sent so far. */
  cost = 0;
  /** How much is still above the capacities. */
  #excess = 0;
  #distance = new Float64Array(0);
  #from = new Int32Array(0);
  #settled = new Uint8Array(0);
  #least = new Float64Array(0);
  #nearest = new Int32Array(0);

  /** Everybody at the site that is cheapest for them, whatever it can carry. `weights`: the demand by point. */
  toCheapest(rows: readonly Float64Array[], capacities: Float64Array, weights: Float64Array): void {
    this.handovers.reset(rows, weights.length);
    const n = rows.length;
    this.#makeRoom(n + 1, weights.length);
    for (let i = 0; i < n; i += 1) this.capacity[i] = capacities[i] ?? 0;
    this.potential.fill(0, 0, n);
    this.load.fill(0, 0, n);
    this.top = 0;
    this.#findNearest(weights.length);
    this.handovers.addAll(weights, this.#nearest);
    const { load } = this;
    let cost = 0;
    for (let p = 0; p < weights.length; p += 1) {
      const amount = weights[p] ?? 0;
      const site = this.#nearest[p] ?? 0;
      load[site] = (load[site] ?? 0) + amount;
      cost += amount * (this.#least[p] ?? 0);
    }
    this.cost = cost;
    this.#excess = 0;
    for (let i = 0; i < n; i += 1) this.#excess += Math.max(0, -this.#room(i));
  }

  #findNearest(points: number): void {
    const { rows, sites } = this.handovers;
    const [least, nearest] = [this.#least, this.#nearest];
    least.fill(Number.POSITIVE_INFINITY, 0, points);
    for (let i = 0; i < sites; i += 1) {
      const row = rows[i];
      if (!row) continue;
      for (let p = 0; p < points; p += 1) {
        const cost = row[p] ?? 0;
        if (cost >= (least[p] ?? 0)) continue;
        least[p] = cost;
        nearest[p] = i;
      }
    }
  }

  #makeRoom(sites: number, points: number): void {
    if (points > this.#least.length) {
      this.#least = new Float64Array(2 * points);
      this.#nearest = new Int32Array(2 * points);
    }
    if (sites <= this.load.length) return;
    const size = 2 * sites + 8;
    this.load = new Float64Array(size);
    this.capacity = new Float64Array(size);
    this.potential = new Float64Array(size);
    this.#distance = new Float64Array(size);
    this.#from = new Int32Array(size);
    this.#settled = new Uint8Array(size);
  }

  /** As another is, which has nothing above the capacities. */
  copy(from: Serving): void {
    this.handovers.copy(from.handovers);
    const { sites } = from.handovers;
    this.#makeRoom(sites + 1, 0);
    for (let i = 0; i < sites; i += 1) {
      this.load[i] = from.load[i] ?? 0;
      this.capacity[i] = from.capacity[i] ?? 0;
      this.potential[i] = from.potential[i] ?? 0;
    }
    this.top = from.top;
    this.cost = from.cost;
    this.#excess = 0;
  }

  /**
   * Sends what is above the capacities to where there is room. False as soon as it is sure that the cost is `limit` or
   * more: paths only grow longer, so what is left to send costs at least as much as the last path.
   */
  send(limit: number): boolean {
    if (this.cost >= limit) return false;
    let pathsLeft = PATHS_PER_PIECE_MAX * (this.handovers.pieces + this.handovers.sites);
    while (pathsLeft > 0 && this.#sendOne(limit)) pathsLeft -= 1;
    return this.cost < limit;
  }

  /** A site more: whoever gains most by it goes there, and others to where that leaves room. */
  open(row: Float64Array, capacity: number): void {
    const { handovers, potential, load } = this;
    const { site, point, rows, amount, pieces } = handovers;
    const made = handovers.addSite(row);
    load[made] = 0;
    this.capacity[made] = capacity;
    const selection = this.#selectionFor(pieces);
    for (let piece = 0; piece < pieces; piece += 1) {
      const i = site[piece] ?? 0;
      const p = point[piece] ?? 0;
      const gain = this.top - (potential[i] ?? 0) + (rows[i]?.[p] ?? 0) - (row[p] ?? 0);
      // A piece that went into another one is empty, and nowhere.
      if (gain > 0 && (amount[piece] ?? 0) > 0) selection.offer(piece, gain, amount[piece] ?? 0);
    }
    const { piece: taken, count, partOf, part } = selection.limit(capacity);
    potential[made] = this.top - (selection.isAll ? 0 : selection.lowest);
    for (let n = 0; n < count; n += 1) this.#take(taken[n] ?? 0, made, amount[taken[n] ?? 0] ?? 0);
    if (partOf >= 0 && part > NOTHING) this.#take(partOf, made, part);
    for (let i = 0; i < handovers.sites; i += 1) this.#fill(i);
  }
  #selection: GainSelection | undefined;

  #selectionFor(pieces: number): GainSelection {
    if (!this.#selection || this.#selection.size < pieces)
      this.#selection = new GainSelection(2 * pieces + 64);
    return this.#selection.clear();
  }

  #take(piece: number, to: number, amount: number): void {
    const { handovers, load } = this;
    const from = handovers.site[piece] ?? 0;
    const p = handovers.point[piece] ?? 0;
    this.cost += amount * ((handovers.rows[to]?.[p] ?? 0) - (handovers.rows[from]?.[p] ?? 0));
    load[from] = (load[from] ?? 0) - amount;
    load[to] = (load[to] ?? 0) + amount;
    handovers.move(piece, to, amount);
  }

  /** Gives a site more capacity and sends there whom it serves cheaper. */
  enlarge(to: number, by: number): void {
    this.capacity[to] = (this.capacity[to] ?? 0) + by;
    this.#fill(to);
  }

  /** Uses what room a site has for whom it serves cheaper, along shortest paths from where there is most to gain. */
  #fill(to: number): void {
    let pathsLeft = PATHS_PER_PIECE_MAX * (this.handovers.pieces + this.handovers.sites);
    while (pathsLeft > 0 && this.#room(to) > NOTHING && this.#fetchOne(to)) pathsLeft -= 1;
  }

  /** Takes capacity away from a site; what is above it then is for `send`. */
  lessen(from: number, by: number): void {
    this.capacity[from] = Math.max(0, (this.capacity[from] ?? 0) - by);
    this.#excess = Math.max(0, -this.#room(from));
  }

  /** Sends demand along the shortest path from any overloaded site to any with room; false when none is left, or it costs too much. */
  #sendOne(limit: number): boolean {
    const to = this.#nearestWithRoom(limit);
    if (to < 0) return false;
    const { handovers } = this;
    let amount = this.#room(to);
    let at = to;
    for (let from = this.#from[at] ?? -1; from >= 0; at = from, from = this.#from[at] ?? -1) {
      amount = Math.min(amount, handovers.carries(from, at));
    }
    const source = at;
    const length = (this.potential[to] ?? 0) - (this.potential[source] ?? 0);
    amount = Math.min(amount, -this.#room(source));
    this.#along(to, amount);
    this.cost += amount * length;
    this.#excess -= amount;
    return true;
  }

  /** Hands an amount on along the path that ends at a site. */
  #along(to: number, amount: number): void {
    let at = to;
    for (let from = this.#from[at] ?? -1; from >= 0; at = from, from = this.#from[at] ?? -1) {
      this.handovers.handOver(from, at, amount);
    }
    this.load[at] = (this.load[at] ?? 0) - amount;
    this.load[to] = (this.load[to] ?? 0) + amount;
  }

  /** Dijkstra's algorithm on reduced costs from all overloaded sites at once, ended by the first site with room. */
  #nearestWithRoom(limit: number): number {
    const { sites } = this.handovers;
    const distance = this.#distance;
    const settled = this.#settled;
    let highest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < sites; i += 1) {
      settled[i] = 0;
      distance[i] = Number.POSITIVE_INFINITY;
      if (this.#room(i) >= -NOTHING) continue;
      distance[i] = 0;
      this.#from[i] = -1;
      highest = Math.max(highest, this.potential[i] ?? 0);
    }
    if (highest === Number.NEGATIVE_INFINITY) return -1;
    for (;;) {
      const at = this.#nearestUnsettled();
      if (at < 0) return -1;
      const least = distance[at] ?? 0;
      if (this.cost + this.#excess * (this.top + least - highest) >= limit) {
        this.cost = limit;
        return -1;
      }
      if (this.#room(at) > NOTHING) {
        this.top += least;
        this.#raise(least, this.top);
        return at;
      }
      settled[at] = 1;
      this.#relax(at, least);
    }
  }

  #nearestUnsettled(): number {
    const { sites } = this.handovers;
    const distance = this.#distance;
    const settled = this.#settled;
    let at = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < sites; i += 1) {
      if (settled[i] !== 0 || (distance[i] ?? 0) >= least) continue;
      at = i;
      least = distance[i] ?? 0;
    }
    return at;
  }

  /**
   * Fetches demand to a site with room along the path that saves most: from a site that has room then, since whoever is
   * there came for less than the others would pay. False when nothing is saved any more.
   */
  #fetchOne(to: number): boolean {
    const { sites } = this.handovers;
    const distance = this.#distance;
    const price = this.top - (this.potential[to] ?? 0);
    if (price <= NOTHING) return false;
    for (let i = 0; i < sites; i += 1) {
      this.#settled[i] = 0;
      this.#from[i] = -1;
      const some = i !== to && (this.load[i] ?? 0) > NOTHING;
      distance[i] = some ? Math.max(0, this.top - (this.potential[i] ?? 0)) : Number.POSITIVE_INFINITY;
    }
    for (;;) {
      const at = this.#nearestUnsettled();
      const least = at < 0 ? Number.POSITIVE_INFINITY : (distance[at] ?? 0);
      if (least >= price - NOTHING) {
        this.#raise(price, this.top);
        return false;
      }
      if (at === to) break;
      this.#settled[at] = 1;
      this.#relax(at, least);
    }
    const least = distance[to] ?? 0;
    let amount = this.#room(to);
    for (let at = to, from = this.#from[at] ?? -1; from >= 0; at = from, from = this.#from[at] ?? -1) {
      amount = Math.min(amount, this.handovers.carries(from, at));
    }
    this.#raise(least, this.top);
    this.#along(to, amount);
    this.cost += amount * (least - price);
    return true;
  }

  #relax(from: number, base: number): void {
    const { handovers, potential } = this;
    if (handovers.known[from] === 0) handovers.findEdges(from);
    const { extra, sites } = handovers;
    const [distance, settled] = [this.#distance, this.#settled];
    const here = potential[from] ?? 0;
    const row = from * handovers.stride;
    for (let to = 0; to < sites; to += 1) {
      if (settled[to] === 1) continue;
      // Rounding may leave a reduced cost a hair below zero.
      const reduced = Math.max(0, (extra[row + to] ?? 0) + here - (potential[to] ?? 0));
      if (base + reduced >= (distance[to] ?? 0) - DETOUR) continue;
      distance[to] = base + reduced;
      this.#from[to] = from;
    }
  }

  /** Nothing goes above the potential of sites with room: what nobody is at could. */
  #raise(reached: number, top: number): void {
    for (let i = 0; i < this.handovers.sites; i += 1) {
      const raised = (this.potential[i] ?? 0) + Math.min(reached, this.#distance[i] ?? 0);
      this.potential[i] = Math.min(top, raised);
    }
  }

  #room(site: number): number {
    return (this.capacity[site] ?? 0) - (this.load[site] ?? 0);
  }
}
