/** Cells along one edge of the cube around the globe: for few sites fewer, so that building it costs little. */
const CELLS_FEW = 16;
const CELLS_SOME = 32;
const CELLS_MANY = 64;
const FEW = 256;
const SOME = 2_048;

/** Points on the unit sphere, in columns. */
interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
}

/** Places on the unit sphere by cell of a cube around it, so that neighbours are found without looking at all of them. */
export class SiteGrid {
  readonly #cells: number;
  /** By cell: where its places begin in `#places`. */
  readonly #starts: Int32Array;
  readonly #places: Int32Array;

  /** `places`: indexes into the coordinates. */
  constructor(
    private readonly x: Float64Array,
    private readonly y: Float64Array,
    private readonly z: Float64Array,
    places: Int32Array,
  ) {
    this.#cells = places.length <= FEW ? CELLS_FEW : places.length <= SOME ? CELLS_SOME : CELLS_MANY;
    this.#starts = new Int32Array(this.#cells ** 3 + 1);
    this.#places = new Int32Array(places.length);
    const cellOf = places.map((i) => this.#cellOf(x[i] ?? 0, y[i] ?? 0, z[i] ?? 0));
    for (const cell of cellOf) this.#starts[cell + 1] = (this.#starts[cell + 1] ?? 0) + 1;
    for (let c = 1; c < this.#starts.length; c += 1) {
      this.#starts[c] = (this.#starts[c] ?? 0) + (this.#starts[c - 1] ?? 0);
    }
    const next = this.#starts.slice();
    for (let n = 0; n < places.length; n += 1) {
      const cell = cellOf[n] ?? 0;
      const at = next[cell] ?? 0;
      this.#places[at] = places[n] ?? 0;
      next[cell] = at + 1;
    }
  }

  /** The longest chord for which `around` is sure to miss nothing. */
  get reach(): number {
    return 1 / this.#cells;
  }

  /**
   * Fills `into` with the places in the eight cells around the `p`th of some points: all within `reach`, and some farther
   * ones. Returns how many; what does not fit into `into` is left out.
   */
  around(points: Points, p: number, into: Int32Array): number {
    const n = this.#cells;
    const px = points.x[p] ?? 0;
    const py = points.y[p] ?? 0;
    const pz = points.z[p] ?? 0;
    const x0 = this.#lower(px);
    const y0 = this.#lower(py);
    const z0 = this.#lower(pz);
    const first = this.#inside(z0);
    const x1 = this.#inside(x0 + 1);
    const y1 = this.#inside(y0 + 1);
    const z1 = this.#inside(z0 + 1);
    let found = 0;
    for (let cx = this.#inside(x0); cx <= x1; cx += 1) {
      for (let cy = this.#inside(y0); cy <= y1; cy += 1) {
        const row = (cx * n + cy) * n;
        const end = this.#starts[row + z1 + 1] ?? 0;
        for (let at = this.#starts[row + first] ?? 0; at < end && found < into.length; at += 1) {
          into[found] = this.#places[at] ?? 0;
          found += 1;
        }
      }
    }
    return found;
  }

  /** The lower one of the cell of a coordinate and the neighbour that is nearer to it; -1 below the first. */
  #lower(coordinate: number): number {
    return Math.floor(((coordinate + 1) / 2) * this.#cells - 0.5);
  }

  #inside(cell: number): number {
    return Math.max(0, Math.min(cell, this.#cells - 1));
  }

  #cellOf(px: number, py: number, pz: number): number {
    const n = this.#cells;
    const cell = (c: number) => Math.max(0, Math.min(n - 1, Math.floor(((c + 1) / 2) * n)));
    return (cell(px) * n + cell(py)) * n + cell(pz);
  }
}
