import type { DemandPoint } from '@skerry/contracts';
import type { Users } from '../demand/users.js';

/**
 * Gathers users into at most `most` locations, each where the middle of its users is: what the search looks at in place of
 * thousands. Parts are cut in two where it lessens the squared distances most (as k-d trees for k-means: Kanungo et al.
 * 2002), along their widest axis. Returns the users themselves when there are no more than that.
 */
export function clusterUsers(users: Users, most: number): readonly DemandPoint[] {
  return users.count <= most ? users.points : new Clusters(users, most).points();
}

/** Parts of the users in columns, by number of the part: thousands of small objects would cost more than the sums do. */
class Clusters {
  readonly #order: Int32Array;
  #parts = 0;
  /** Where a part begins in the order, and where the next one does. */
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  readonly #weight: Float64Array;
  /** Weight times coordinate. */
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  readonly #z: Float64Array;
  /** The axis along which it is widest, and weight times squared distance from the middle along it. */
  readonly #axis: Uint8Array;
  readonly #spread: Float64Array;
  /** Parts as a heap: the widest first, the lower number among equals. */
  readonly #heap: Int32Array;

  constructor(
    private readonly users: Users,
    private readonly most: number,
  ) {
    const columns = columnsFor(users.count, most);
    this.#order = columns.order;
    for (let p = 0; p < users.count; p += 1) this.#order[p] = p;
    this.#from = columns.from;
    this.#to = columns.to;
    this.#weight = columns.weight;
    this.#x = columns.x;
    this.#y = columns.y;
    this.#z = columns.z;
    this.#axis = columns.axis;
    this.#spread = columns.spread;
    this.#heap = columns.heap;
    this.#heap[0] = 0;
    this.#measure(0, 0, users.count);
    this.#parts = 1;
    while (this.#parts < most && this.#cutWidest());
  }

  points(): DemandPoint[] {
    return Array.from({ length: this.#parts }, (_, part) => this.#middleOf(part));
  }

  /** False when no part is wider than one place. */
  #cutWidest(): boolean {
    const part = this.#heap[0] ?? 0;
    if ((this.#spread[part] ?? 0) <= 0) return false;
    const from = this.#from[part] ?? 0;
    const to = this.#to[part] ?? 0;
    const middle = this.#divide(part, from, to);
    // All on one side, by rounding: as good as one place.
    if (middle === from || middle === to) {
      this.#spread[part] = 0;
      this.#sink(0);
      return true;
    }
    this.#measure(part, from, middle);
    this.#sink(0);
    const made = this.#parts;
    this.#measure(made, middle, to);
    this.#parts += 1;
    this.#rise(made);
    return true;
  }

  #measure(part: number, from: number, to: number): void {
    const { x, y, z, weight } = this.users;
    let sum = 0;
    let sx = 0;
    let sy = 0;
    let sz = 0;
    let xx = 0;
    let yy = 0;
    let zz = 0;
    for (let n = from; n < to; n += 1) {
      const p = this.#order[n] ?? 0;
      const w = weight[p] ?? 0;
      const px = x[p] ?? 0;
      const py = y[p] ?? 0;
      const pz = z[p] ?? 0;
      sum += w;
      sx += w * px;
      sy += w * py;
      sz += w * pz;
      xx += w * px * px;
      yy += w * py * py;
      zz += w * pz * pz;
    }
    this.#from[part] = from;
    this.#to[part] = to;
    this.#weight[part] = sum;
    this.#x[part] = sx;
    this.#y[part] = sy;
    this.#z[part] = sz;
    const alongX = xx - (sx * sx) / sum;
    const alongY = yy - (sy * sy) / sum;
    const alongZ = zz - (sz * sz) / sum;
    const widest = Math.max(alongX, alongY, alongZ);
    this.#axis[part] = alongX === widest ? 0 : alongY === widest ? 1 : 2;
    this.#spread[part] = to - from > 1 ? widest : 0;
  }

  /** Puts the users on one side of the middle before the others; returns where the others begin. */
  #divide(part: number, from: number, to: number): number {
    const axis = this.#axis[part] ?? 0;
    const along = axis === 0 ? this.users.x : axis === 1 ? this.users.y : this.users.z;
    const sums = axis === 0 ? this.#x : axis === 1 ? this.#y : this.#z;
    const cut = (sums[part] ?? 0) / (this.#weight[part] ?? 1);
    const order = this.#order;
    let low = from;
    let high = to;
    while (low < high) {
      const p = order[low] ?? 0;
      if ((along[p] ?? 0) < cut) {
        low += 1;
        continue;
      }
      high -= 1;
      order[low] = order[high] ?? 0;
      order[high] = p;
    }
    return low;
  }

  #wider(a: number, b: number): boolean {
    const more = (this.#spread[a] ?? 0) - (this.#spread[b] ?? 0);
    return more > 0 || (more === 0 && a < b);
  }

  /** Puts a part at the end of the heap, and up to where it belongs. */
  #rise(part: number): void {
    let at = part;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = this.#heap[above] ?? 0;
      if (!this.#wider(part, other)) break;
      this.#heap[at] = other;
      at = above;
    }
    this.#heap[at] = part;
  }

  #sink(start: number): void {
    const part = this.#heap[start] ?? 0;
    let at = start;
    for (let below = 2 * at + 1; below < this.#parts; below = 2 * at + 1) {
      if (below + 1 < this.#parts && this.#wider(this.#heap[below + 1] ?? 0, this.#heap[below] ?? 0)) {
        below += 1;
      }
      const other = this.#heap[below] ?? 0;
      if (!this.#wider(other, part)) break;
      this.#heap[at] = other;
      at = below;
    }
    this.#heap[at] = part;
  }

  #middleOf(part: number): DemandPoint {
    const from = this.#from[part] ?? 0;
    const only = (this.#to[part] ?? 0) - from === 1 ? this.users.points[this.#order[from] ?? 0] : undefined;
    const weight = this.#weight[part] ?? 0;
    if (only) return { ...only, weight };
    const x = this.#x[part] ?? 0;
    const y = this.#y[part] ?? 0;
    return {
      label: 'users',
      lat: (Math.atan2(this.#z[part] ?? 0, Math.sqrt(x * x + y * y)) * 180) / Math.PI,
      lon: (Math.atan2(y, x) * 180) / Math.PI,
      weight,
    };
  }
}

function columnsOf(users: number, parts: number) {
  return {
    order: new Int32Array(users),
    from: new Int32Array(parts),
    to: new Int32Array(parts),
    weight: new Float64Array(parts),
    x: new Float64Array(parts),
    y: new Float64Array(parts),
    z: new Float64Array(parts),
    axis: new Uint8Array(parts),
    spread: new Float64Array(parts),
    heap: new Int32Array(parts),
  };
}

/** Written over by each decision, so that none of them is garbage. They hold anything, and may be longer than they have to be. */
let written = columnsOf(0, 0);

function columnsFor(users: number, parts: number): typeof written {
  if (users > written.order.length || parts > written.from.length) {
    written = columnsOf(Math.max(2 * users, written.order.length), Math.max(2 * parts, written.from.length));
  }
  return written;
}
