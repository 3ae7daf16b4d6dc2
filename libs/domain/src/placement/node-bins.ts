import type { FreeShape, Resources } from '@skerry/contracts';
import type { Use } from './types.js';

const DIMENSIONS = 3;
/** Nodes of one site that are told apart; of more, the rest counts as not there. */
export const NODES_PER_SITE_MAX = 10_000;

type Vector = readonly [number, number, number];
interface Packed {
  readonly need: Resources;
  readonly replicas: number;
  readonly bins: ReadonlyMap<number, number>;
}

/** The nodes of one site as bins of cpu, memory and disk, filled first fit: bins in the order of the digest. */
export class NodeBins {
  readonly #free: Float64Array;
  readonly #total: [number, number, number] = [0, 0, 0];
  readonly #used: [number, number, number] = [0, 0, 0];

  constructor(shapes: readonly FreeShape[]) {
    const sizes: Vector[] = [];
    for (const s of shapes) {
      const nodes = Math.min(s.nodes, NODES_PER_SITE_MAX - sizes.length);
      for (let i = 0; i < nodes; i += 1) sizes.push([s.cpuMillicores, s.memoryMiB, s.diskMiB]);
    }
    this.#free = Float64Array.from(sizes.flat());
    for (const size of sizes) for (const d of [0, 1, 2] as const) this.#total[d] += size[d];
  }

  /** Takes room for as many replicas as fit, and counts all of them as used; returns how many went into which bin. */
  take(need: Resources, replicas: number): Map<number, number> {
    const wants = vector(need);
    const bins = new Map<number, number>();
    let left = replicas;
    for (let bin = 0; left > 0 && bin * DIMENSIONS < this.#free.length; bin += 1) {
      const n = Math.min(left, this.#fitsIn(bin, wants, 0, wants));
      if (n <= 0) continue;
      this.#change(bin, wants, -n);
      bins.set(bin, n);
      left -= n;
    }
    for (const d of [0, 1, 2] as const) this.#used[d] += wants[d] * replicas;
    return bins;
  }

  /** Undoes a `take`. */
  giveBack(need: Resources, replicas: number, bins: ReadonlyMap<number, number>): void {
    const wants = vector(need);
    for (const [bin, n] of bins) this.#change(bin, wants, n);
    for (const d of [0, 1, 2] as const) this.#used[d] -= wants[d] * replicas;
  }

  /** Undoes a `giveBack`. */
  putBack(need: Resources, replicas: number, bins: ReadonlyMap<number, number>): void {
    const wants = vector(need);
    for (const [bin, n] of bins) this.#change(bin, wants, -n);
    for (const d of [0, 1, 2] as const) this.#used[d] += wants[d] * replicas;
  }

  /** How many replicas fit, at most `limit`; what `own` holds counts as free. */
  fitting(need: Resources, limit: number, own?: Packed): number {
    const wants = vector(need);
    const held = vector(own?.need ?? need);
    let sum = 0;
    for (let bin = 0; sum < limit && bin * DIMENSIONS < this.#free.length; bin += 1) {
      sum += this.#fitsIn(bin, wants, own?.bins.get(bin) ?? 0, held);
    }
    return Math.min(sum, limit);
  }

  /** Fractions of all nodes together that are taken (not counting `own`), and that one replica would take. */
  use(need: Resources, own?: Packed): { taken: Use; perReplica: Use } {
    const wants = vector(need);
    const held = vector(own?.need ?? need);
    const mine = own?.replicas ?? 0;
    const part = (d: 0 | 1 | 2, amount: number) => (this.#total[d] > 0 ? amount / this.#total[d] : 0);
    const taken = (d: 0 | 1 | 2) => part(d, this.#used[d] - mine * held[d]);
    return {
      taken: [taken(0), taken(1), taken(2)],
      perReplica: [part(0, wants[0]), part(1, wants[1]), part(2, wants[2])],
    };
  }

  #fitsIn(bin: number, wants: Vector, own: number, held: Vector): number {
    let fits = Number.POSITIVE_INFINITY;
    for (const d of [0, 1, 2] as const) {
      if (wants[d] === 0) continue;
      const free = (this.#free[bin * DIMENSIONS + d] ?? 0) + own * held[d];
      fits = Math.min(fits, Math.floor(free / wants[d]));
    }
    return fits;
  }

  #change(bin: number, wants: Vector, replicas: number): void {
    for (const d of [0, 1, 2] as const) {
      const at = bin * DIMENSIONS + d;
      this.#free[at] = (this.#free[at] ?? 0) + wants[d] * replicas;
    }
  }
}

function vector(need: Resources): Vector {
  return [need.cpuMillicores, need.memoryMiB, need.diskMiB];
}
