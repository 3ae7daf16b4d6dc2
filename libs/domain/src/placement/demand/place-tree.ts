/** Places in one leaf. */
const LEAF = 8;
/** Numbers of a node's box: the least x, y and z, then the most. */
const BOX = 6;

/**
 * Points in space in a tree of boxes, split in the middle of the longest side (a k-d tree, Bentley 1975), so that the
 * nearest one is found without a look at each of them. One question at a time.
 */
export class PlaceTree {
  /** In the order of the leaves. */
  readonly #places: Int32Array;
  /** By node: the root is the first, and the halves of node `n` are `2n + 1` and `2n + 2`. */
  readonly #boxes: Float64Array;
  /** The least place of each node: of places that are equally near the first is found. */
  readonly #first: Int32Array;
  readonly #columns: readonly [x: Float64Array, y: Float64Array, z: Float64Array];
  readonly #point: [x: number, y: number, z: number] = [0, 0, 0];
  #nearest = -1;
  #squared = Number.POSITIVE_INFINITY;

  /** Of the points that the columns give, by index. */
  constructor(x: Float64Array, y: Float64Array, z: Float64Array) {
    this.#columns = [x, y, z];
    this.#places = Int32Array.from(x.keys());
    const depth = Math.max(0, Math.ceil(Math.log2(x.length / LEAF)));
    const nodes = 2 ** (depth + 1);
    this.#boxes = new Float64Array(nodes * BOX);
    this.#first = new Int32Array(nodes);
    this.#build(0, 0, x.length);
  }

  /** The place nearest to a point, and its distance squared; place -1 when there is none. */
  nearest(x: number, y: number, z: number): { place: number; squared: number } {
    this.#point[0] = x;
    this.#point[1] = y;
    this.#point[2] = z;
    this.#nearest = -1;
    this.#squared = Number.POSITIVE_INFINITY;
    this.#look(0, 0, this.#places.length);
    return { place: this.#nearest, squared: this.#squared };
  }

  #build(node: number, from: number, to: number): void {
    const axis = this.#enclose(node, from, to);
    if (to - from <= LEAF) return;
    const middle = (from + to) >> 1;
    this.#halve(this.#columns[axis], from, to - 1);
    this.#build(2 * node + 1, from, middle);
    this.#build(2 * node + 2, middle, to);
  }

  /** Sets the box of a node; returns the axis along which it is longest. */
  #enclose(node: number, from: number, to: number): 0 | 1 | 2 {
    let longest: 0 | 1 | 2 = 0;
    let length = -1;
    for (const axis of [0, 1, 2] as const) {
      const column = this.#columns[axis];
      let least = Number.POSITIVE_INFINITY;
      let most = Number.NEGATIVE_INFINITY;
      for (let n = from; n < to; n += 1) {
        const at = column[this.#places[n] ?? 0] ?? 0;
        least = Math.min(least, at);
        most = Math.max(most, at);
      }
      this.#boxes[node * BOX + axis] = least;
      this.#boxes[node * BOX + 3 + axis] = most;
      if (most - least <= length) continue;
      length = most - least;
      longest = axis;
    }
    this.#first[node] = this.#places.subarray(from, to).reduce((a, b) => Math.min(a, b), this.#places.length);
    return longest;
  }

  /** Brings the lesser half of the places from `from` to `last` to the front (Hoare's selection). */
  #halve(column: Float64Array, from: number, last: number): void {
    const places = this.#places;
    const middle = (from + last + 1) >> 1;
    let [left, right] = [from, last];
    while (left < right) {
      const pivot = column[places[(left + right) >> 1] ?? 0] ?? 0;
      let [i, j] = [left, right];
      while (i <= j) {
        while ((column[places[i] ?? 0] ?? 0) < pivot) i += 1;
        while ((column[places[j] ?? 0] ?? 0) > pivot) j -= 1;
        if (i > j) break;
        [places[i], places[j]] = [places[j] ?? 0, places[i] ?? 0];
        i += 1;
        j -= 1;
      }
      if (middle <= j) right = j;
      else if (middle >= i) left = i;
      else return;
    }
  }

  #look(node: number, from: number, to: number): void {
    if (to - from <= LEAF) {
      for (let n = from; n < to; n += 1) this.#compare(this.#places[n] ?? 0);
      return;
    }
    const middle = (from + to) >> 1;
    const [left, right] = [2 * node + 1, 2 * node + 2];
    const [toLeft, toRight] = [this.#away(left), this.#away(right)];
    const leftFirst = toLeft <= toRight;
    if (leftFirst && this.#mayHave(left, toLeft)) this.#look(left, from, middle);
    if (this.#mayHave(right, toRight)) this.#look(right, middle, to);
    if (!leftFirst && this.#mayHave(left, toLeft)) this.#look(left, from, middle);
  }

  /** Whether a node may have a nearer place than the one found, or an equally near one that comes first. */
  #mayHave(node: number, away: number): boolean {
    return away < this.#squared || (away === this.#squared && (this.#first[node] ?? 0) < this.#nearest);
  }

  #compare(place: number): void {
    const [x, y, z] = this.#columns;
    const dx = (x[place] ?? 0) - this.#point[0];
    const dy = (y[place] ?? 0) - this.#point[1];
    const dz = (z[place] ?? 0) - this.#point[2];
    const squared = dx * dx + dy * dy + dz * dz;
    if (squared > this.#squared || (squared === this.#squared && place > this.#nearest)) return;
    this.#nearest = place;
    this.#squared = squared;
  }

  /** Distance squared to the box of a node: never more than that to any place in it, in the same arithmetic. */
  #away(node: number): number {
    const dx = this.#beside(node, 0);
    const dy = this.#beside(node, 1);
    const dz = this.#beside(node, 2);
    return dx * dx + dy * dy + dz * dz;
  }

  #beside(node: number, axis: 0 | 1 | 2): number {
    const at = this.#point[axis];
    const least = this.#boxes[node * BOX + axis] ?? 0;
    const most = this.#boxes[node * BOX + 3 + axis] ?? 0;
    return at < least ? least - at : at > most ? at - most : 0;
  }
}
