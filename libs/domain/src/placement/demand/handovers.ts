/** Amounts of demand nearer than this are the same: shares of 1, so a millionth of a millionth of the users. */
export const NOTHING = 1e-12;
const NO_PIECE = -1;

/**
 * Pieces of demand, each at a site, and by pair of sites the piece that costs least more at the one than at the other: the
 * edges of the graph that a transportation problem is solved on. Its columns are used again and again.
 */
export class Handovers {
  /** By site and point: what serving it there costs. */
  readonly rows: Float64Array[] = [];
  sites = 0;
  pieces = 0;
  point = new Int32Array(0);
  site = new Int32Array(0);
  amount = new Float64Array(0);
  /** Sites that the edges have room for: what one row of them is long. */
  stride = 0;
  /** By giving and taking site (`giving * stride + taking`): the piece that costs least more there, and how much. */
  edge = new Int32Array(0);
  extra = new Float64Array(0);
  /** Whether the edges of a giving site are worked out. */
  known = new Uint8Array(0);
  /** Pieces of each site as a list: its first, and by piece the next and the one before. */
  #head = new Int32Array(0);
  #next = new Int32Array(0);
  #before = new Int32Array(0);

  /** Nothing at any of so many sites yet; room for one site more, and for pieces of so many points. */
  reset(rows: readonly Float64Array[], points: number): void {
    const n = rows.length;
    this.#makeRoom(n + 1, points);
    for (let i = 0; i < n; i += 1) this.rows[i] = rows[i] ?? NO_ROW;
    this.sites = n;
    this.pieces = 0;
    this.known.fill(0, 0, n);
    this.#head.fill(NO_PIECE, 0, n);
  }

  /** As another is. */
  copy(from: Handovers): void {
    const { sites, pieces, stride } = from;
    this.#makeRoom(sites + 1, pieces);
    this.sites = sites;
    this.pieces = pieces;
    for (let i = 0; i < sites; i += 1) {
      this.rows[i] = from.rows[i] ?? NO_ROW;
      this.known[i] = from.known[i] ?? 0;
      this.#head[i] = from.#head[i] ?? NO_PIECE;
      for (let to = 0; to < sites; to += 1) {
        this.edge[i * this.stride + to] = from.edge[i * stride + to] ?? NO_PIECE;
        this.extra[i * this.stride + to] = from.extra[i * stride + to] ?? 0;
      }
    }
    for (let piece = 0; piece < pieces; piece += 1) {
      this.point[piece] = from.point[piece] ?? 0;
      this.site[piece] = from.site[piece] ?? 0;
      this.amount[piece] = from.amount[piece] ?? 0;
      this.#next[piece] = from.#next[piece] ?? NO_PIECE;
      this.#before[piece] = from.#before[piece] ?? NO_PIECE;
    }
  }

  #makeRoom(sites: number, pieces: number): void {
    if (sites > this.stride) this.#makeSites(sites + 8);
    if (pieces > this.point.length) this.#makePieces(2 * pieces + 64);
  }

  #makeSites(stride: number): void {
    this.stride = stride;
    this.known = new Uint8Array(stride);
    this.#head = new Int32Array(stride);
    this.edge = new Int32Array(stride * stride);
    this.extra = new Float64Array(stride * stride);
  }

  #makePieces(size: number): void {
    this.#next = grown(this.#next, size);
    this.#before = grown(this.#before, size);
    this.point = grown(this.point, size);
    this.site = grown(this.site, size);
    const amount = new Float64Array(size);
    amount.set(this.amount);
    this.amount = amount;
  }

  /** A piece of each point at its site, after `reset`. `amounts` and `sites`: by point. */
  addAll(amounts: Float64Array, sites: Int32Array): void {
    for (let p = 0; p < amounts.length; p += 1) {
      this.point[p] = p;
      this.amount[p] = amounts[p] ?? 0;
      this.#link(p, sites[p] ?? 0);
    }
    this.pieces = amounts.length;
  }

  #made(point: number, amount: number): number {
    if (this.pieces === this.point.length) this.#makePieces(2 * this.pieces);
    const piece = this.pieces;
    this.point[piece] = point;
    this.amount[piece] = amount;
    this.pieces += 1;
    return piece;
  }

  /** A site more, with nothing there; returns its number. There has to be room for it. */
  addSite(row: Float64Array): number {
    const { stride, edge, extra, site, amount, point, rows } = this;
    const made = this.sites;
    rows[made] = row;
    this.sites = made + 1;
    this.#head[made] = NO_PIECE;
    this.known[made] = 1;
    for (let i = 0; i <= made; i += 1) {
      edge[made * stride + i] = NO_PIECE;
      extra[made * stride + i] = Number.POSITIVE_INFINITY;
      edge[i * stride + made] = NO_PIECE;
      extra[i * stride + made] = Number.POSITIVE_INFINITY;
    }
    for (let piece = 0; piece < this.pieces; piece += 1) {
      const i = site[piece] ?? 0;
      const p = point[piece] ?? 0;
      const more = (row[p] ?? 0) - (rows[i]?.[p] ?? 0);
      const at = i * stride + made;
      if (more >= (extra[at] ?? 0) || (amount[piece] ?? 0) <= 0) continue;
      extra[at] = more;
      edge[at] = piece;
    }
    return made;
  }

  /** Works out the edges of every site. */
  findAllEdges(): void {
    for (let from = 0; from < this.sites; from += 1) if (this.known[from] === 0) this.findEdges(from);
  }

  findEdges(from: number): void {
    this.known[from] = 1;
    for (let to = 0; to < this.sites; to += 1) this.#findEdge(from, to);
  }

  #findEdge(from: number, to: number): void {
    const at = from * this.stride + to;
    this.edge[at] = NO_PIECE;
    this.extra[at] = Number.POSITIVE_INFINITY;
    const here = this.rows[from];
    const there = this.rows[to];
    if (from === to || !here || !there) return;
    const [next, point, amount] = [this.#next, this.point, this.amount];
    let best = NO_PIECE;
    let least = Number.POSITIVE_INFINITY;
    for (let piece = this.#head[from] ?? NO_PIECE; piece >= 0; piece = next[piece] ?? NO_PIECE) {
      const p = point[piece] ?? 0;
      const extra = (there[p] ?? 0) - (here[p] ?? 0);
      if (extra >= least || (amount[piece] ?? 0) <= 0) continue;
      least = extra;
      best = piece;
    }
    this.edge[at] = best;
    this.extra[at] = least;
  }

  /** How much the edge of a pair carries. */
  carries(from: number, to: number): number {
    return this.amount[this.edge[from * this.stride + to] ?? 0] ?? 0;
  }

  /** Hands so much of the edge's piece over, or all of it. */
  handOver(from: number, to: number, amount: number): void {
    const row = from * this.stride;
    const piece = this.edge[row + to] ?? 0;
    const has = this.amount[piece] ?? 0;
    const same = this.#sameAt(to, this.point[piece] ?? 0);
    if (has - amount > NOTHING) {
      this.amount[piece] = has - amount;
      if (same >= 0) this.amount[same] = (this.amount[same] ?? 0) + amount;
      else this.#arrive(this.#made(this.point[piece] ?? 0, amount), to);
      return;
    }
    this.#unlink(piece, from);
    if (same >= 0) {
      this.amount[same] = (this.amount[same] ?? 0) + has;
      this.amount[piece] = 0;
    } else this.#arrive(piece, to);
    // Only edges that this piece was the cheapest of have changed.
    for (let other = 0; other < this.sites; other += 1) {
      if (this.edge[row + other] === piece) this.#findEdge(from, other);
    }
  }

  /** Has so much of a piece at another site. The edges of both are to be worked out anew when they are asked for. */
  move(piece: number, to: number, amount: number): void {
    const from = this.site[piece] ?? 0;
    this.known[from] = 0;
    this.known[to] = 0;
    const has = this.amount[piece] ?? 0;
    if (has - amount > NOTHING) {
      this.amount[piece] = has - amount;
      this.#link(this.#made(this.point[piece] ?? 0, amount), to);
      return;
    }
    this.#unlink(piece, from);
    this.#link(piece, to);
  }

  /** The piece of a point that a site has already; -1 for none. */
  #sameAt(site: number, point: number): number {
    const [next, points] = [this.#next, this.point];
    let piece = this.#head[site] ?? NO_PIECE;
    while (piece >= 0 && points[piece] !== point) piece = next[piece] ?? NO_PIECE;
    return piece;
  }

  #arrive(piece: number, at: number): void {
    this.#link(piece, at);
    if (this.known[at] === 0) return;
    const p = this.point[piece] ?? 0;
    const here = this.rows[at]?.[p] ?? 0;
    const row = at * this.stride;
    for (let to = 0; to < this.sites; to += 1) {
      if (to === at) continue;
      const extra = (this.rows[to]?.[p] ?? 0) - here;
      if (extra >= (this.extra[row + to] ?? 0)) continue;
      this.extra[row + to] = extra;
      this.edge[row + to] = piece;
    }
  }

  #link(piece: number, site: number): void {
    const first = this.#head[site] ?? NO_PIECE;
    this.#next[piece] = first;
    this.#before[piece] = NO_PIECE;
    if (first >= 0) this.#before[first] = piece;
    this.#head[site] = piece;
    this.site[piece] = site;
  }

  #unlink(piece: number, site: number): void {
    const next = this.#next[piece] ?? NO_PIECE;
    const before = this.#before[piece] ?? NO_PIECE;
    if (before >= 0) this.#next[before] = next;
    else this.#head[site] = next;
    if (next >= 0) this.#before[next] = before;
  }
}

const NO_ROW = new Float64Array(0);

function grown(old: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const made = new Int32Array(size);
  made.set(old);
  return made;
}
