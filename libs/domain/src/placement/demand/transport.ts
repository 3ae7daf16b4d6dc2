/** Amounts of demand nearer than this are the same: shares of 1, so a billionth of a millionth of the users. */
const NOTHING = 1e-12;
/** Paths that demand is sent along for each piece of it; beyond, what is left stays where it is nearest. */
const PATHS_PER_PIECE_MAX = 32;

/** Who is served where: the cheapest way within the capacities. */
export interface Flow {
  /** Sum over all demand of amount times cost. */
  readonly cost: number;
  /** What a unit of capacity more would save at each site; 0 where some is spare. A dual of the problem. */
  readonly prices: Float64Array;
  /** Demand at each site. */
  readonly load: Float64Array;
  /** Pieces of demand: point, site and amount. A point is in more than one piece when it is split. */
  readonly pieces: number;
  readonly point: Int32Array;
  readonly site: Int32Array;
  readonly amount: Float64Array;
}

/**
 * Serves all demand at the least cost with no site above its capacity: a transportation problem, solved exactly by
 * successive shortest paths (Ahuja, Magnanti, Orlin, Network Flows, 1993, 9.7) over the graph of the sites alone, whose
 * edges are the cheapest piece that one site can hand to another. A point may be split. Capacities that cannot carry the
 * demand together are raised in proportion: overload comes last and is even. `rows[site][point]` are costs per unit.
 */
export function transport(
  rows: readonly Float64Array[],
  weights: Float64Array,
  capacities: Float64Array,
): Flow {
  return new Transport(rows, weights, capacities).solve();
}

/** Pieces that a site could hand to another, the least extra cost first: a binary heap that may hold stale entries. */
class Handover {
  readonly keys: number[] = [];
  readonly pieces: number[] = [];

  push(key: number, piece: number): void {
    const { keys, pieces } = this;
    let at = keys.length;
    keys.push(key);
    pieces.push(piece);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const above = keys[up] ?? 0;
      if (above <= key) break;
      keys[at] = above;
      pieces[at] = pieces[up] ?? 0;
      at = up;
    }
    keys[at] = key;
    pieces[at] = piece;
  }

  pop(): void {
    const { keys, pieces } = this;
    const key = keys.pop() ?? 0;
    const piece = pieces.pop() ?? 0;
    const size = keys.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= size) break;
      if (down + 1 < size && (keys[down + 1] ?? 0) < (keys[down] ?? 0)) down += 1;
      const below = keys[down] ?? 0;
      if (below >= key) break;
      keys[at] = below;
      pieces[at] = pieces[down] ?? 0;
      at = down;
    }
    keys[at] = key;
    pieces[at] = piece;
  }
}

class Transport {
  readonly #sites: number;
  readonly #capacity: Float64Array;
  readonly #load: Float64Array;
  readonly #point: number[] = [];
  readonly #site: number[] = [];
  readonly #amount: number[] = [];
  /** By giving site: its pieces for each taking site; made when the site first has something to give. */
  readonly #handovers: (Handover[] | undefined)[];
  readonly #potential: Float64Array;
  readonly #distance: Float64Array;
  readonly #from: Int32Array;
  readonly #settled: Uint8Array;

  constructor(
    private readonly rows: readonly Float64Array[],
    private readonly weights: Float64Array,
    capacities: Float64Array,
  ) {
    this.#sites = rows.length;
    const total = capacities.reduce((sum, c) => sum + c, 0);
    const demand = weights.reduce((sum, w) => sum + w, 0);
    this.#capacity =
      total < demand ? capacities.map((c) => (total > 0 ? (c / total) * demand : demand)) : capacities;
    this.#load = new Float64Array(this.#sites);
    this.#handovers = Array.from({ length: this.#sites });
    this.#potential = new Float64Array(this.#sites);
    this.#distance = new Float64Array(this.#sites);
    this.#from = new Int32Array(this.#sites);
    this.#settled = new Uint8Array(this.#sites);
  }

  solve(): Flow {
    this.#toCheapest();
    let pathsLeft = PATHS_PER_PIECE_MAX * (this.weights.length + this.#sites);
    while (pathsLeft > 0 && this.#sendOne()) pathsLeft -= 1;
    return this.#flow();
  }

  #toCheapest(): void {
    const [first] = this.rows;
    if (!first) return;
    for (let p = 0; p < this.weights.length; p += 1) {
      let best = 0;
      let cost = first[p] ?? 0;
      for (let i = 1; i < this.#sites; i += 1) {
        const other = this.rows[i]?.[p] ?? 0;
        if (other < cost) [best, cost] = [i, other];
      }
      const amount = this.weights[p] ?? 0;
      this.#point.push(p);
      this.#site.push(best);
      this.#amount.push(amount);
      this.#load[best] = (this.#load[best] ?? 0) + amount;
    }
  }

  /** Sends demand along the shortest path from any overloaded site to any with room; false when none is left. */
  #sendOne(): boolean {
    const to = this.#nearestWithRoom();
    if (to < 0) return false;
    let amount = this.#room(to);
    let at = to;
    for (let from = this.#from[at] ?? -1; from >= 0; at = from, from = this.#from[at] ?? -1) {
      amount = Math.min(amount, this.#amount[this.#cheapestPiece(from, at)] ?? 0);
    }
    amount = Math.min(amount, -this.#room(at));
    const source = at;
    at = to;
    for (let from = this.#from[at] ?? -1; from >= 0; at = from, from = this.#from[at] ?? -1) {
      this.#handOver(this.#cheapestPiece(from, at), at, amount);
    }
    this.#load[source] = (this.#load[source] ?? 0) - amount;
    this.#load[to] = (this.#load[to] ?? 0) + amount;
    return true;
  }

  /** Dijkstra's algorithm on reduced costs from all overloaded sites at once, ended by the first site with room. */
  #nearestWithRoom(): number {
    const distance = this.#distance.fill(Number.POSITIVE_INFINITY);
    this.#settled.fill(0);
    let overloaded = false;
    for (let i = 0; i < this.#sites; i += 1) {
      if (this.#room(i) >= -NOTHING) continue;
      distance[i] = 0;
      this.#from[i] = -1;
      overloaded = true;
    }
    if (!overloaded) return -1;
    for (;;) {
      let at = -1;
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < this.#sites; i += 1) {
        const d = distance[i] ?? 0;
        if (this.#settled[i] === 0 && d < least) [at, least] = [i, d];
      }
      if (at < 0) return -1;
      if (this.#room(at) > NOTHING) {
        this.#raise(least);
        return at;
      }
      this.#settled[at] = 1;
      this.#relax(at, least);
    }
  }

  #relax(from: number, base: number): void {
    const here = this.#potential[from] ?? 0;
    for (let to = 0; to < this.#sites; to += 1) {
      if (this.#settled[to] === 1) continue;
      const piece = this.#cheapestPiece(from, to);
      if (piece < 0) continue;
      const p = this.#point[piece] ?? 0;
      const extra = (this.rows[to]?.[p] ?? 0) - (this.rows[from]?.[p] ?? 0);
      // Rounding may leave a reduced cost a hair below zero.
      const reduced = Math.max(0, extra + here - (this.#potential[to] ?? 0));
      if (base + reduced >= (this.#distance[to] ?? 0)) continue;
      this.#distance[to] = base + reduced;
      this.#from[to] = from;
    }
  }

  #raise(reached: number): void {
    for (let i = 0; i < this.#sites; i += 1) {
      this.#potential[i] = (this.#potential[i] ?? 0) + Math.min(reached, this.#distance[i] ?? 0);
    }
  }

  #cheapestPiece(from: number, to: number): number {
    if (from === to) return -1;
    const heap = this.#handoversOf(from)[to];
    if (!heap) return -1;
    for (;;) {
      const piece = heap.pieces[0];
      if (piece === undefined) return -1;
      if (this.#site[piece] === from && (this.#amount[piece] ?? 0) > 0) return piece;
      heap.pop();
    }
  }

  #handoversOf(from: number): Handover[] {
    const known = this.#handovers[from];
    if (known) return known;
    const made = Array.from({ length: this.#sites }, () => new Handover());
    this.#handovers[from] = made;
    for (let piece = 0; piece < this.#point.length; piece += 1) {
      if (this.#site[piece] === from) this.#offer(made, from, piece);
    }
    return made;
  }

  #offer(handovers: Handover[], from: number, piece: number): void {
    const p = this.#point[piece] ?? 0;
    const own = this.rows[from]?.[p] ?? 0;
    for (let to = 0; to < this.#sites; to += 1) {
      if (to !== from) handovers[to]?.push((this.rows[to]?.[p] ?? 0) - own, piece);
    }
  }

  #handOver(piece: number, to: number, amount: number): void {
    const has = this.#amount[piece] ?? 0;
    let moved = piece;
    if (has - amount > NOTHING) {
      this.#amount[piece] = has - amount;
      moved = this.#point.length;
      this.#point.push(this.#point[piece] ?? 0);
      this.#amount.push(amount);
      this.#site.push(to);
    } else {
      this.#site[piece] = to;
    }
    const offers = this.#handovers[to];
    if (offers) this.#offer(offers, to, moved);
  }

  #room(site: number): number {
    return (this.#capacity[site] ?? 0) - (this.#load[site] ?? 0);
  }

  #flow(): Flow {
    let cost = 0;
    for (let piece = 0; piece < this.#point.length; piece += 1) {
      cost +=
        (this.#amount[piece] ?? 0) * (this.rows[this.#site[piece] ?? 0]?.[this.#point[piece] ?? 0] ?? 0);
    }
    const highest = this.#potential.reduce((most, p) => Math.max(most, p), 0);
    return {
      cost,
      prices: this.#potential.map((p) => highest - p),
      load: this.#load,
      pieces: this.#point.length,
      point: Int32Array.from(this.#point),
      site: Int32Array.from(this.#site),
      amount: Float64Array.from(this.#amount),
    };
  }
}
