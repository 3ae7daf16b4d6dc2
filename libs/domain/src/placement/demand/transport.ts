/** Amounts of demand nearer than this are the same: shares of 1, so a millionth of a millionth of the users. */
const NOTHING = 1e-12;
/** Paths that demand is sent along for each piece of it; beyond, what is left stays where it is cheapest. */
const PATHS_PER_PIECE_MAX = 32;
const NO_PIECE = -1;

/** The cheapest way to serve all demand within the capacities. */
export interface Flow {
  /** Sum over all demand of amount times cost. */
  readonly cost: number;
  /** What a unit of capacity more would save at each site; 0 where some is spare. A dual of the problem. */
  readonly prices: Float64Array;
  /** Demand at each site. */
  readonly load: Float64Array;
}

/** A flow with who is served where: pieces of demand, by point, site and amount. A point in more than one piece is split. */
export interface DetailedFlow extends Flow {
  readonly pieces: number;
  readonly point: Int32Array;
  readonly site: Int32Array;
  readonly amount: Float64Array;
}

/**
 * Serves demand at the least cost with no site above its capacity: a transportation problem, solved exactly by
 * successive shortest paths (Ahuja, Magnanti, Orlin, Network Flows, 1993, 9.7) over the graph of the sites alone, whose
 * edges are the cheapest piece that one site can hand to another. A point may be split. Capacities that cannot carry the
 * demand together are raised in proportion: overload comes last and is even. One solver serves one demand many times.
 */
export class Transport {
  readonly #points: number;
  readonly #demand: number;
  #rows: readonly Float64Array[] = [];
  #sites = 0;
  #capacity: Float64Array = new Float64Array(0);
  #load: Float64Array = new Float64Array(0);
  #potential = new Float64Array(0);
  #distance = new Float64Array(0);
  #from = new Int32Array(0);
  #settled = new Uint8Array(0);
  /** By giving and taking site: the piece that costs least more there, and how much. */
  #edge = new Int32Array(0);
  #extra = new Float64Array(0);
  /** Whether the edges of a giving site are worked out. */
  #known = new Uint8Array(0);
  /** Pieces of each site as a list: its first, and by piece the next and the one before. */
  #head = new Int32Array(0);
  #next: Int32Array;
  #before: Int32Array;
  #point: Int32Array;
  #site: Int32Array;
  #amount: Float64Array;
  #pieces = 0;
  /** Of what is sent so far, and how much is still above the capacities. */
  #cost = 0;
  #excess = 0;
  readonly #least: Float64Array;

  constructor(private readonly weights: Float64Array) {
    this.#points = weights.length;
    let demand = 0;
    for (let p = 0; p < weights.length; p += 1) demand += weights[p] ?? 0;
    this.#demand = demand;
    const size = 2 * this.#points + 64;
    this.#next = new Int32Array(size);
    this.#before = new Int32Array(size);
    this.#point = new Int32Array(size);
    this.#site = new Int32Array(size);
    this.#amount = new Float64Array(size);
    this.#least = new Float64Array(this.#points);
  }

  /**
   * `rows[site][point]` are costs per unit. The answer's arrays are its own. Undefined as soon as it is sure that the cost
   * is `limit` or more: paths only grow longer, so what is left to send costs at least as much as the last path.
   */
  solve(
    rows: readonly Float64Array[],
    capacities: Float64Array,
    limit = Number.POSITIVE_INFINITY,
  ): Flow | undefined {
    this.#reset(rows, capacities);
    this.#toCheapest();
    if (this.#cost >= limit) return undefined;
    let pathsLeft = PATHS_PER_PIECE_MAX * (this.#points + this.#sites);
    while (pathsLeft > 0 && this.#sendOne(limit)) pathsLeft -= 1;
    return this.#cost >= limit ? undefined : this.#flow();
  }

  /** As `solve`, with who is served where. */
  solveInDetail(rows: readonly Float64Array[], capacities: Float64Array): DetailedFlow {
    this.solve(rows, capacities);
    const pieces = this.#pieces;
    return {
      ...this.#flow(),
      pieces,
      point: this.#point.slice(0, pieces),
      site: this.#site.slice(0, pieces),
      amount: this.#amount.slice(0, pieces),
    };
  }

  #reset(rows: readonly Float64Array[], capacities: Float64Array): void {
    this.#rows = rows;
    const n = rows.length;
    if (n > this.#potential.length) this.#makeRoomFor(n + 8);
    this.#sites = n;
    this.#load = new Float64Array(n);
    this.#capacity = evenly(capacities, this.#demand);
    this.#potential.fill(0, 0, n);
    this.#known.fill(0, 0, n);
    this.#head.fill(NO_PIECE, 0, n);
    this.#pieces = 0;
    this.#cost = 0;
    this.#excess = 0;
  }

  #makeRoomFor(sites: number): void {
    this.#potential = new Float64Array(sites);
    this.#distance = new Float64Array(sites);
    this.#from = new Int32Array(sites);
    this.#settled = new Uint8Array(sites);
    this.#known = new Uint8Array(sites);
    this.#head = new Int32Array(sites);
    this.#edge = new Int32Array(sites * sites);
    this.#extra = new Float64Array(sites * sites);
  }

  #toCheapest(): void {
    const least = this.#least;
    const site = this.#site;
    least.fill(Number.POSITIVE_INFINITY);
    for (let i = 0; i < this.#sites; i += 1) {
      const row = this.#rows[i];
      if (!row) continue;
      for (let p = 0; p < this.#points; p += 1) {
        const cost = row[p] ?? 0;
        if (cost >= (least[p] ?? 0)) continue;
        least[p] = cost;
        site[p] = i;
      }
    }
    for (let p = 0; p < this.#points; p += 1) {
      const amount = this.weights[p] ?? 0;
      this.#point[p] = p;
      this.#amount[p] = amount;
      this.#link(p, site[p] ?? 0);
      this.#load[site[p] ?? 0] = (this.#load[site[p] ?? 0] ?? 0) + amount;
      this.#cost += amount * (least[p] ?? 0);
    }
    this.#pieces = this.#points;
    for (let i = 0; i < this.#sites; i += 1) this.#excess += Math.max(0, -this.#room(i));
  }

  #link(piece: number, site: number): void {
    const first = this.#head[site] ?? NO_PIECE;
    this.#next[piece] = first;
    this.#before[piece] = NO_PIECE;
    if (first >= 0) this.#before[first] = piece;
    this.#head[site] = piece;
    this.#site[piece] = site;
  }

  #unlink(piece: number, site: number): void {
    const next = this.#next[piece] ?? NO_PIECE;
    const before = this.#before[piece] ?? NO_PIECE;
    if (before >= 0) this.#next[before] = next;
    else this.#head[site] = next;
    if (next >= 0) this.#before[next] = before;
  }

  /** Sends demand along the shortest path from any overloaded site to any with room; false when none is left. */
  #sendOne(limit: number): boolean {
    const to = this.#nearestWithRoom();
    if (to < 0) return false;
    // What is too much is still at its first site, whose potential is 0: that of the other end is the way's length.
    const length = this.#potential[to] ?? 0;
    if (this.#cost + this.#excess * length >= limit) {
      this.#cost = limit;
      return false;
    }
    let amount = this.#room(to);
    let at = to;
    for (let from = this.#from[at] ?? -1; from >= 0; at = from, from = this.#from[at] ?? -1) {
      amount = Math.min(amount, this.#amount[this.#edge[from * this.#sites + at] ?? 0] ?? 0);
    }
    amount = Math.min(amount, -this.#room(at));
    const source = at;
    at = to;
    for (let from = this.#from[at] ?? -1; from >= 0; at = from, from = this.#from[at] ?? -1) {
      this.#handOver(from, at, amount);
    }
    this.#load[source] = (this.#load[source] ?? 0) - amount;
    this.#load[to] = (this.#load[to] ?? 0) + amount;
    this.#cost += amount * length;
    this.#excess -= amount;
    return true;
  }

  /** Dijkstra's algorithm on reduced costs from all overloaded sites at once, ended by the first site with room. */
  #nearestWithRoom(): number {
    const distance = this.#distance;
    const settled = this.#settled;
    let overloaded = false;
    for (let i = 0; i < this.#sites; i += 1) {
      settled[i] = 0;
      distance[i] = Number.POSITIVE_INFINITY;
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
        if (settled[i] !== 0 || (distance[i] ?? 0) >= least) continue;
        at = i;
        least = distance[i] ?? 0;
      }
      if (at < 0) return -1;
      if (this.#room(at) > NOTHING) {
        this.#raise(least);
        return at;
      }
      settled[at] = 1;
      this.#relax(at, least);
    }
  }

  #relax(from: number, base: number): void {
    if (this.#known[from] === 0) this.#findEdges(from);
    const here = this.#potential[from] ?? 0;
    const row = from * this.#sites;
    for (let to = 0; to < this.#sites; to += 1) {
      if (this.#settled[to] === 1) continue;
      // Rounding may leave a reduced cost a hair below zero.
      const reduced = Math.max(0, (this.#extra[row + to] ?? 0) + here - (this.#potential[to] ?? 0));
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

  #findEdges(from: number): void {
    this.#known[from] = 1;
    for (let to = 0; to < this.#sites; to += 1) this.#findEdge(from, to);
  }

  #findEdge(from: number, to: number): void {
    const at = from * this.#sites + to;
    this.#edge[at] = NO_PIECE;
    this.#extra[at] = Number.POSITIVE_INFINITY;
    const here = this.#rows[from];
    const there = this.#rows[to];
    if (from === to || !here || !there) return;
    let best = NO_PIECE;
    let least = Number.POSITIVE_INFINITY;
    for (let piece = this.#head[from] ?? NO_PIECE; piece >= 0; piece = this.#next[piece] ?? NO_PIECE) {
      const p = this.#point[piece] ?? 0;
      const extra = (there[p] ?? 0) - (here[p] ?? 0);
      if (extra >= least || (this.#amount[piece] ?? 0) <= 0) continue;
      least = extra;
      best = piece;
    }
    this.#edge[at] = best;
    this.#extra[at] = least;
  }

  #handOver(from: number, to: number, amount: number): void {
    const piece = this.#edge[from * this.#sites + to] ?? 0;
    const has = this.#amount[piece] ?? 0;
    if (has - amount > NOTHING) {
      this.#amount[piece] = has - amount;
      this.#arrive(this.#split(piece, amount), to);
      return;
    }
    this.#unlink(piece, from);
    this.#arrive(piece, to);
    // Only edges that this piece was the cheapest of have changed.
    for (let other = 0; other < this.#sites; other += 1) {
      if (this.#edge[from * this.#sites + other] === piece) this.#findEdge(from, other);
    }
  }

  #split(piece: number, amount: number): number {
    if (this.#pieces === this.#point.length) this.#growPieces();
    const made = this.#pieces;
    this.#point[made] = this.#point[piece] ?? 0;
    this.#amount[made] = amount;
    this.#pieces += 1;
    return made;
  }

  #growPieces(): void {
    const size = 2 * this.#point.length;
    this.#next = grown(this.#next, size);
    this.#before = grown(this.#before, size);
    this.#point = grown(this.#point, size);
    this.#site = grown(this.#site, size);
    const amount = new Float64Array(size);
    amount.set(this.#amount);
    this.#amount = amount;
  }

  #arrive(piece: number, at: number): void {
    this.#link(piece, at);
    if (this.#known[at] === 0) return;
    const p = this.#point[piece] ?? 0;
    const here = this.#rows[at]?.[p] ?? 0;
    const row = at * this.#sites;
    for (let to = 0; to < this.#sites; to += 1) {
      if (to === at) continue;
      const extra = (this.#rows[to]?.[p] ?? 0) - here;
      if (extra >= (this.#extra[row + to] ?? 0)) continue;
      this.#extra[row + to] = extra;
      this.#edge[row + to] = piece;
    }
  }

  #room(site: number): number {
    return (this.#capacity[site] ?? 0) - (this.#load[site] ?? 0);
  }

  #flow(): Flow {
    let cost = 0;
    for (let piece = 0; piece < this.#pieces; piece += 1) {
      const row = this.#rows[this.#site[piece] ?? 0];
      cost += (this.#amount[piece] ?? 0) * (row?.[this.#point[piece] ?? 0] ?? 0);
    }
    let highest = 0;
    for (let i = 0; i < this.#sites; i += 1) highest = Math.max(highest, this.#potential[i] ?? 0);
    const prices = new Float64Array(this.#sites);
    for (let i = 0; i < this.#sites; i += 1) prices[i] = highest - (this.#potential[i] ?? 0);
    return { cost, prices, load: this.#load };
  }
}

/** Capacities that carry the demand together; those that do not are raised in proportion. */
function evenly(capacities: Float64Array, demand: number): Float64Array {
  let total = 0;
  for (let i = 0; i < capacities.length; i += 1) total += capacities[i] ?? 0;
  if (total >= demand) return capacities;
  return capacities.map((c) => (total > 0 ? (c / total) * demand : demand));
}

function grown(old: Int32Array, size: number): Int32Array {
  const made = new Int32Array(size);
  made.set(old);
  return made;
}
