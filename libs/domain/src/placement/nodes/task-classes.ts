import type { Resources } from '@skerry/contracts';
import { modelDoes, WHOLE_GPU } from './node-room.js';
import { freeGpuMilli, type NodeState } from './node-state.js';

/** A kind of task and how many of it there were. */
export interface TaskClass {
  readonly need: Resources;
  readonly count: number;
}

/** Text that is equal for needs that are placed alike. */
export function needKey({ cpuMillicores, memoryMiB, diskMiB, gpu }: Resources): string {
  if (gpu === undefined) return `${cpuMillicores}/${memoryMiB}/${diskMiB}`;
  const models = gpu.models === undefined ? '' : gpu.models.toSorted((a, b) => (a < b ? -1 : 1)).join(',');
  return `${cpuMillicores}/${memoryMiB}/${diskMiB}/${gpu.count}x${gpu.shareMilli ?? WHOLE_GPU}/${models}`;
}

/** The classes of a list of needs, most frequent first, of equals by their key. */
export function classesOf(needs: Iterable<Resources>): TaskClass[] {
  const counts = new Map<string, { need: Resources; count: number }>();
  for (const need of needs) {
    const key = needKey(need);
    const known = counts.get(key);
    if (known) known.count += 1;
    else counts.set(key, { need, count: 1 });
  }
  return [...counts].toSorted(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1)).map(([, c]) => c);
}

/** What one class could make of a node: see `TaskMix.forEach`. */
interface Row {
  readonly need: Resources;
  readonly weight: number;
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
  readonly perGpu: number;
  /** Index into `#millis`. */
  readonly demand: number;
}

/**
 * A distribution of tasks, prepared for measuring how much of a node's free GPUs they could not use. Weights add up to 1
 * over all classes, those without GPUs too.
 */
export class TaskMix {
  readonly #rows: readonly Row[];
  /** Weight of the classes that want no GPU: to them all free GPUs are of no use. */
  readonly #without: number;
  /** Distinct thousandths wanted of one GPU, and for the node at hand how many GPUs have them and how much those have free. */
  readonly #millis: readonly number[];
  readonly #having: Int32Array;
  readonly #usable: Int32Array;

  constructor(classes: readonly TaskClass[], weightOf: (task: TaskClass) => number = (task) => task.count) {
    const sum = classes.reduce((s, c) => s + weightOf(c), 0);
    const part = (task: TaskClass) => (sum > 0 ? weightOf(task) / sum : 0);
    const millis = new Set(
      classes.flatMap(({ need }) => (need.gpu ? (need.gpu.shareMilli ?? WHOLE_GPU) : [])),
    );
    this.#millis = [...millis].toSorted((a, b) => a - b);
    this.#having = new Int32Array(this.#millis.length);
    this.#usable = new Int32Array(this.#millis.length);
    this.#without = classes.reduce((s, c) => s + (c.need.gpu ? 0 : part(c)), 0);
    this.#rows = classes.flatMap(({ need, count }): Row[] => {
      if (need.gpu === undefined) return [];
      const perGpu = need.gpu.shareMilli ?? WHOLE_GPU;
      return [
        {
          need,
          weight: part({ need, count }),
          cpu: need.cpuMillicores,
          memory: need.memoryMiB,
          gpus: need.gpu.count,
          perGpu,
          demand: this.#millis.indexOf(perGpu),
        },
      ];
    });
  }

  /**
   * Expected thousandths of free GPUs that a task of this mix could not use: all of them when it does not fit, else those
   * of GPUs with less free than it wants (Weng et al., "Beware of Fragmentation", USENIX ATC 2023, section 4; memory does
   * not count there, nor here).
   */
  fragmentation(state: NodeState): number {
    const free = freeGpuMilli(state);
    if (free === 0) return 0;
    this.#look(state);
    let sum = this.#without * free;
    for (const { need, weight, cpu, gpus, demand } of this.#rows) {
      const fits = cpu <= state.cpu && (this.#having[demand] ?? 0) >= gpus && modelFits(need, state);
      sum += weight * (fits ? free - (this.#usable[demand] ?? 0) : free);
    }
    return sum;
  }

  /**
   * Expected thousandths of free GPUs that would be left if the node were filled with tasks of one class until its cpu,
   * memory or GPUs end, the class drawn from this mix. Sees that cpu runs out before the GPUs do while single tasks still fit.
   */
  leftByFilling(state: NodeState): number {
    const free = freeGpuMilli(state);
    if (free === 0) return 0;
    this.#look(state);
    let sum = 0;
    for (const { need, weight, cpu, memory, gpus, perGpu, demand } of this.#rows) {
      let filled = 0;
      if ((this.#having[demand] ?? 0) >= gpus && modelFits(need, state)) {
        filled = this.#usable[demand] ?? 0;
        if (cpu > 0) filled = Math.min(filled, (state.cpu / cpu) * gpus * perGpu);
        if (memory > 0) filled = Math.min(filled, (state.memory / memory) * gpus * perGpu);
      }
      sum += weight * (free - filled);
    }
    return sum;
  }

  #look({ gpus }: NodeState): void {
    for (let d = 0; d < this.#millis.length; d += 1) {
      const milli = this.#millis[d] ?? 0;
      let having = 0;
      let usable = 0;
      for (const free of gpus) {
        if (free < milli) continue;
        having += 1;
        usable += free;
      }
      this.#having[d] = having;
      this.#usable[d] = usable;
    }
  }
}

function modelFits({ gpu }: Resources, { model }: NodeState): boolean {
  return gpu === undefined || gpu.models === undefined || modelDoes(gpu, model);
}
