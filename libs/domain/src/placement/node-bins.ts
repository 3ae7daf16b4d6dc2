import type { FreeShape, Resources } from '@skerry/contracts';
import { gpuMilliOf, NodeRoom, WHOLE_GPU, type NodeSize } from './nodes/node-room.js';
import type { Use } from './types.js';

/** Nodes of one site that are told apart; of more, the rest counts as not there. */
export const NODES_PER_SITE_MAX = 10_000;
/** Nodes chosen by how well they suit for one holding; replicas beyond go to the first that have room. */
const CHOSEN_NODES_MAX = 64;

/**
 * Where replicas of one holding are: for each node its index, how many replicas, and then for each of these the indices of
 * its GPUs. Never changed once made, so that equal ones are shared.
 */
export type Packing = Int32Array;
interface Packed {
  readonly need: Resources;
  readonly replicas: number;
  readonly packing: Packing;
}

/**
 * The nodes of one site, packed so that large holes stay whole: work without GPUs goes to nodes without them first, work
 * with GPUs where the fewest whole ones are left over, a share into the tightest GPU that has it, and between equals to
 * the node that it fills best. `fitting` and `use` allocate nothing that lasts.
 */
export class NodeBins {
  readonly #nodes: NodeRoom;
  readonly #total: [number, number, number, number] = [0, 0, 0, 0];
  readonly #used: [number, number, number, number] = [0, 0, 0, 0];
  /** One part in the largest node of the site in each dimension. */
  readonly #scale: [number, number, number] = [0, 0, 0];

  constructor(shapes: readonly FreeShape[]) {
    const sizes: NodeSize[] = [];
    for (const s of shapes) {
      const nodes = Math.min(s.nodes, NODES_PER_SITE_MAX - sizes.length);
      for (let i = 0; i < nodes; i += 1) sizes.push(s);
      if (nodes <= 0) continue;
      const vector = [s.cpuMillicores, s.memoryMiB, s.diskMiB, (s.gpus ?? 0) * WHOLE_GPU];
      for (const d of [0, 1, 2, 3] as const) this.#total[d] += nodes * (vector[d] ?? 0);
      for (const d of [0, 1, 2] as const) this.#scale[d] = Math.max(this.#scale[d], vector[d] ?? 0);
    }
    for (const d of [0, 1, 2] as const) this.#scale[d] = this.#scale[d] > 0 ? 1 / this.#scale[d] : 0;
    this.#nodes = new NodeRoom(sizes);
  }

  /** Takes room for as many replicas as fit, and counts all of them as used; returns where they went. */
  take(need: Resources, replicas: number): Packing {
    this.#count(need, replicas);
    if (this.#nodes.size === 1) return this.#fill(0, need, replicas);
    const parts: number[] = [];
    let left = replicas;
    for (let chosen = 0; left > 0 && chosen < CHOSEN_NODES_MAX; chosen += 1) {
      const node = this.#best(need);
      if (node === undefined) return Int32Array.from(parts);
      left -= this.#add(parts, node, need, left);
    }
    for (let node = 0; left > 0 && node < this.#nodes.size; node += 1)
      left -= this.#add(parts, node, need, left);
    return Int32Array.from(parts);
  }

  /** Undoes a `take`. */
  giveBack({ need, replicas, packing }: Packed): void {
    this.#count(need, -replicas);
    this.#move(need, packing, 1);
  }

  /** Undoes a `giveBack`. */
  putBack({ need, replicas, packing }: Packed): void {
    this.#count(need, replicas);
    this.#move(need, packing, -1);
  }

  /** How many replicas fit, at most `limit`; what `own` holds counts as free. */
  fitting(need: Resources, limit: number, own?: Packed): number {
    if (own !== undefined) this.#move(own.need, own.packing, 1);
    let sum = 0;
    for (let node = 0; sum < limit && node < this.#nodes.size; node += 1) {
      sum += Math.max(0, this.#nodes.fitting(node, need));
    }
    if (own !== undefined) this.#move(own.need, own.packing, -1);
    return Math.min(sum, limit);
  }

  /** What `NodeRoom.mostFree` says. */
  mostFree(into: Float64Array, start: number): void {
    this.#nodes.mostFree(into, start);
  }

  /** Fractions of all nodes together that are taken (not counting `own`), and that one replica would take. */
  use(need: Resources, own?: Packed): { taken: Use; perReplica: Use } {
    const [cpu, memory, disk, gpu] = this.#total;
    return {
      taken: own ? this.#takenBeside(own) : (this.#taken ??= this.#takenBeside({ need, replicas: 0 })),
      perReplica: [
        partOf(cpu, need.cpuMillicores),
        partOf(memory, need.memoryMiB),
        partOf(disk, need.diskMiB),
        partOf(gpu, gpuMilliOf(need.gpu)),
      ],
    };
  }

  /** What `use` says with nothing own, until something is taken or given back: most decisions ask for just that. */
  #taken: Use | undefined;

  #takenBeside({ need, replicas }: Pick<Packed, 'need' | 'replicas'>): Use {
    const [cpu, memory, disk, gpu] = this.#total;
    const used = this.#used;
    return [
      partOf(cpu, used[0] - replicas * need.cpuMillicores),
      partOf(memory, used[1] - replicas * need.memoryMiB),
      partOf(disk, used[2] - replicas * need.diskMiB),
      partOf(gpu, used[3] - replicas * gpuMilliOf(need.gpu)),
    ];
  }

  /** As `use` with nothing own: four fractions taken and four of one replica, into `into` from `start`. */
  usesInto(into: Float64Array, start: number, need: Resources): void {
    const [cpu, memory, disk, gpu] = this.#total;
    const used = this.#used;
    into[start] = partOf(cpu, used[0]);
    into[start + 1] = partOf(memory, used[1]);
    into[start + 2] = partOf(disk, used[2]);
    into[start + 3] = partOf(gpu, used[3]);
    into[start + 4] = partOf(cpu, need.cpuMillicores);
    into[start + 5] = partOf(memory, need.memoryMiB);
    into[start + 6] = partOf(disk, need.diskMiB);
    into[start + 7] = partOf(gpu, gpuMilliOf(need.gpu));
  }

  #best(need: Resources): number | undefined {
    let best: number | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let node = 0; node < this.#nodes.size; node += 1) {
      if (this.#nodes.fitting(node, need) <= 0) continue;
      const score = this.#leftOver(node, need);
      if (score >= least) continue;
      least = score;
      best = node;
    }
    return best;
  }

  /** How much would stay unused on a node where one more replica fits: GPUs before all else. */
  #leftOver(node: number, { gpu }: Resources): number {
    const nodes = this.#nodes;
    const rest =
      nodes.freeCpu(node) * this.#scale[0] +
      nodes.freeMemory(node) * this.#scale[1] +
      nodes.freeDisk(node) * this.#scale[2];
    const count = nodes.gpus(node);
    if (count === 0) return rest;
    // The rest is at most 3: a thousandth of a GPU counts for more.
    if (gpu === undefined || gpu.shareMilli === undefined) return rest + 4 * nodes.freeGpuMilli(node);
    const tightest = nodes.freeGpu(node, nodes.tightestGpu(node, gpu.shareMilli) ?? 0);
    return rest + 4 * (tightest + (tightest === WHOLE_GPU ? nodes.freeGpuMilli(node) : 0));
  }

  /** As `#add` for a node that is the only one; packings of one node without GPUs are the same for all. */
  #fill(node: number, need: Resources, replicas: number): Packing {
    const parts: number[] = [];
    if (need.gpu !== undefined) {
      this.#add(parts, node, need, replicas);
      return Int32Array.from(parts);
    }
    const n = Math.max(0, Math.min(replicas, this.#nodes.fitting(node, need)));
    this.#nodes.change(node, need, n, -1);
    return onFirstNode(n);
  }

  #add(parts: number[], node: number, need: Resources, replicas: number): number {
    const n = Math.min(replicas, this.#nodes.fitting(node, need));
    if (n <= 0) return 0;
    this.#nodes.change(node, need, n, -1);
    parts.push(node, n);
    for (let i = 0; need.gpu !== undefined && i < n; i += 1) {
      for (const gpu of this.#nodes.gpusFor(node, need.gpu)) {
        this.#nodes.changeGpu(node, gpu, need, -1);
        parts.push(gpu);
      }
    }
    return n;
  }

  #move(need: Resources, packing: Packing, sign: 1 | -1): void {
    const gpus = need.gpu?.count ?? 0;
    for (let i = 0; i < packing.length;) {
      const node = packing[i] ?? 0;
      const n = packing[i + 1] ?? 0;
      this.#nodes.change(node, need, n, sign);
      i += 2;
      for (let g = 0; g < n * gpus; g += 1) this.#nodes.changeGpu(node, packing[i + g] ?? 0, need, sign);
      i += n * gpus;
    }
  }

  #count(need: Resources, replicas: number): void {
    this.#taken = undefined;
    this.#used[0] += need.cpuMillicores * replicas;
    this.#used[1] += need.memoryMiB * replicas;
    this.#used[2] += need.diskMiB * replicas;
    this.#used[3] += gpuMilliOf(need.gpu) * replicas;
  }
}

function partOf(total: number, amount: number): number {
  return total > 0 ? amount / total : 0;
}

/** How many replicas a packing places. */
export function replicasIn(need: Resources, packing: Packing): number {
  const gpus = need.gpu?.count ?? 0;
  let sum = 0;
  for (let i = 0; i < packing.length; i += 2 + (packing[i + 1] ?? 0) * gpus) sum += packing[i + 1] ?? 0;
  return sum;
}

const SHARED: Packing[] = Array.from({ length: 257 }, (_, n) => Int32Array.from(n === 0 ? [] : [0, n]));

function onFirstNode(replicas: number): Packing {
  return SHARED[replicas] ?? Int32Array.of(0, replicas);
}
