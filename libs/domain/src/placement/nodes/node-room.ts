import type { GpuRequest, Resources } from '@skerry/contracts';

/** Thousandths of one GPU. */
export const WHOLE_GPU = 1_000;
/** Room of a node beside its GPUs: cpu, memory, disk. */
const STRIDE = 3;
const NO_GPUS = new Int32Array(0);

/** What a node has to give, as its agent reports it and as a capacity digest names it. GPUs of one node are of one model. */
export interface NodeSize {
  readonly cpuMillicores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly gpus?: number | undefined;
  readonly gpuModel?: string | undefined;
}

/** Free room of many nodes, in columns: cpu (millicores), memory and disk (MiB), thousandths of each GPU. Nothing here allocates but `take`. */
export class NodeRoom {
  readonly size: number;
  readonly #free: Float64Array;
  /** GPUs of node `n` are `#gpuAt[n]` up to `#gpuAt[n + 1]` of `#gpuFree`; empty when no node has any. */
  readonly #gpuAt: Int32Array;
  readonly #gpuFree: Int32Array;
  readonly #models: readonly (string | undefined)[];

  constructor(nodes: readonly NodeSize[]) {
    this.size = nodes.length;
    this.#free = new Float64Array(nodes.length * STRIDE);
    for (const [i, n] of nodes.entries())
      this.#free.set([n.cpuMillicores, n.memoryMiB, n.diskMiB], i * STRIDE);
    const gpus = nodes.reduce((sum, n) => sum + (n.gpus ?? 0), 0);
    this.#gpuAt = gpus === 0 ? NO_GPUS : new Int32Array(nodes.length + 1);
    for (const [i, n] of nodes.entries()) {
      if (gpus > 0) this.#gpuAt[i + 1] = at(this.#gpuAt, i) + (n.gpus ?? 0);
    }
    this.#gpuFree = gpus === 0 ? NO_GPUS : new Int32Array(gpus).fill(WHOLE_GPU);
    this.#models = gpus === 0 ? [] : nodes.map((n) => n.gpuModel);
  }

  freeCpu(node: number): number {
    return at(this.#free, node * STRIDE);
  }
  freeMemory(node: number): number {
    return at(this.#free, node * STRIDE + 1);
  }
  freeDisk(node: number): number {
    return at(this.#free, node * STRIDE + 2);
  }

  /** GPUs of the node, taken or not. */
  gpus(node: number): number {
    return at(this.#gpuAt, node + 1) - at(this.#gpuAt, node);
  }
  /** Model of the node's GPUs, when it has any and says so. */
  gpuModel(node: number): string | undefined {
    return this.#models[node];
  }
  /** Free thousandths of one GPU, by its index within the node. */
  freeGpu(node: number, gpu: number): number {
    return at(this.#gpuFree, at(this.#gpuAt, node) + gpu);
  }

  /** Free thousandths over all GPUs of the node. */
  freeGpuMilli(node: number): number {
    let sum = 0;
    const end = at(this.#gpuAt, node + 1);
    for (let g = at(this.#gpuAt, node); g < end; g += 1) sum += at(this.#gpuFree, g);
    return sum;
  }

  /** GPUs of the node with at least so many thousandths free. */
  gpusWith(node: number, milli: number): number {
    let n = 0;
    const end = at(this.#gpuAt, node + 1);
    for (let g = at(this.#gpuAt, node); g < end; g += 1) if (at(this.#gpuFree, g) >= milli) n += 1;
    return n;
  }

  /** The freest node (by cpu, then memory) as cpu, memory and disk, then the most that any node has of each, into `into` from `start`. */
  mostFree(into: Float64Array, start: number): void {
    into.fill(0, start, start + 2 * STRIDE);
    for (let base = 0; base < this.size * STRIDE; base += STRIDE) {
      const [cpu, memory, disk] = [at(this.#free, base), at(this.#free, base + 1), at(this.#free, base + 2)];
      const most = at(into, start);
      if (cpu > most || (cpu === most && memory > at(into, start + 1))) {
        into[start] = cpu;
        into[start + 1] = memory;
        into[start + 2] = disk;
      }
      into[start + 3] = Math.max(at(into, start + 3), cpu);
      into[start + 4] = Math.max(at(into, start + 4), memory);
      into[start + 5] = Math.max(at(into, start + 5), disk);
    }
  }

  /** How many replicas of the need fit on the node now; Infinity for a need of nothing. Zero or less when it is overfull. */
  fitting(node: number, need: Resources): number {
    const base = node * STRIDE;
    let fits = Number.POSITIVE_INFINITY;
    if (need.cpuMillicores > 0) fits = Math.floor(at(this.#free, base) / need.cpuMillicores);
    if (need.memoryMiB > 0) fits = Math.min(fits, Math.floor(at(this.#free, base + 1) / need.memoryMiB));
    if (need.diskMiB > 0) fits = Math.min(fits, Math.floor(at(this.#free, base + 2) / need.diskMiB));
    return need.gpu === undefined || fits <= 0 ? fits : Math.min(fits, this.#gpusFitting(node, need.gpu));
  }

  /** The GPU for a share of `milli`: the tightest that has it, the first of equals; undefined when none has. */
  tightestGpu(node: number, milli: number): number | undefined {
    let tightest: number | undefined;
    let least = Number.POSITIVE_INFINITY;
    const first = at(this.#gpuAt, node);
    const end = at(this.#gpuAt, node + 1);
    for (let g = first; g < end; g += 1) {
      const free = at(this.#gpuFree, g);
      if (free < milli || free >= least) continue;
      least = free;
      tightest = g - first;
    }
    return tightest;
  }

  /**
   * The GPUs, by index within the node, that one replica would get: a share of GPU `share` (default the tightest), or the
   * first whole ones. Fewer than it needs when it does not fit.
   */
  gpusFor(node: number, gpu: GpuRequest | undefined, share?: number): number[] {
    if (gpu === undefined) return [];
    if (gpu.shareMilli !== undefined) {
      const chosen = share ?? this.tightestGpu(node, gpu.shareMilli);
      return chosen === undefined ? [] : [chosen];
    }
    const whole: number[] = [];
    const count = this.gpus(node);
    for (let g = 0; g < count && whole.length < gpu.count; g += 1) {
      if (this.freeGpu(node, g) === WHOLE_GPU) whole.push(g);
    }
    return whole;
  }

  /** Takes (`sign` -1) or gives back (1) the cpu, memory and disk of so many replicas. Their GPUs are told by `changeGpu`. */
  change(node: number, need: Resources, replicas: number, sign: 1 | -1): void {
    const base = node * STRIDE;
    const n = sign * replicas;
    this.#free[base] = at(this.#free, base) + n * need.cpuMillicores;
    this.#free[base + 1] = at(this.#free, base + 1) + n * need.memoryMiB;
    this.#free[base + 2] = at(this.#free, base + 2) + n * need.diskMiB;
  }

  /** Takes or gives back one GPU's part of a replica. */
  changeGpu(node: number, gpu: number, need: Resources, sign: 1 | -1): void {
    const index = at(this.#gpuAt, node) + gpu;
    this.#gpuFree[index] = at(this.#gpuFree, index) + sign * (need.gpu?.shareMilli ?? WHOLE_GPU);
  }

  #gpusFitting(node: number, gpu: GpuRequest): number {
    if (this.#gpuAt.length === 0 || !modelDoes(gpu, this.#models[node])) return 0;
    if (gpu.shareMilli === undefined) return Math.floor(this.gpusWith(node, WHOLE_GPU) / gpu.count);
    let fits = 0;
    const end = at(this.#gpuAt, node + 1);
    for (let g = at(this.#gpuAt, node); g < end; g += 1)
      fits += Math.floor(at(this.#gpuFree, g) / gpu.shareMilli);
    return fits;
  }
}

/** Whether GPUs of this model will do. */
export function modelDoes(gpu: GpuRequest, model: string | undefined): boolean {
  return gpu.models === undefined || (model !== undefined && gpu.models.includes(model));
}

/** Thousandths that one replica takes over all of its GPUs. */
export function gpuMilliOf(gpu: GpuRequest | undefined): number {
  return gpu === undefined ? 0 : gpu.count * (gpu.shareMilli ?? WHOLE_GPU);
}

// Columns are dense: every index in range holds a number.
function at(column: Float64Array | Int32Array, index: number): number {
  return column[index] ?? 0;
}
