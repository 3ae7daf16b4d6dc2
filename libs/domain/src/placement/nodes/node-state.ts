import type { CheckResult, Resources } from '@skerry/contracts';
import { modelDoes, WHOLE_GPU, type NodeSize } from './node-room.js';

/** What is free on one node: cpu in millicores, memory and disk in MiB, thousandths of each GPU. Never changed once made. */
export interface NodeState {
  readonly cpu: number;
  readonly memory: number;
  readonly disk: number;
  readonly gpus: readonly number[];
  /** Model of the GPUs. */
  readonly model: string | undefined;
}

/** A node with nothing on it. */
export function emptyNode(size: NodeSize): NodeState {
  return {
    cpu: size.cpuMillicores,
    memory: size.memoryMiB,
    disk: size.diskMiB,
    gpus: Array.from({ length: size.gpus ?? 0 }, () => WHOLE_GPU),
    model: size.gpuModel,
  };
}

/** Free thousandths over all GPUs. */
export function freeGpuMilli({ gpus }: NodeState): number {
  let sum = 0;
  for (const free of gpus) sum += free;
  return sum;
}

/** Whether one replica fits. */
export function fitsOn(state: NodeState, need: Resources): boolean {
  if (need.cpuMillicores > state.cpu || need.memoryMiB > state.memory || need.diskMiB > state.disk)
    return false;
  const { gpu } = need;
  if (gpu === undefined) return true;
  if (!modelDoes(gpu, state.model)) return false;
  const milli = gpu.shareMilli ?? WHOLE_GPU;
  let left = gpu.count;
  for (const free of state.gpus) if (free >= milli) left -= 1;
  return left <= 0;
}

/** Why one replica does not fit, by the first thing that is short; undefined when it does. */
export function misfitOn(state: NodeState, need: Resources): CheckResult | undefined {
  const short = shortOf(state, need);
  return short && { check: 'capacity', ok: false, ...short };
}

/**
 * The different choices of GPUs that one replica has where it fits, by index: for a share one of each free amount, else the
 * first whole ones.
 */
export function gpuChoices(state: NodeState, need: Resources): readonly (readonly number[])[] {
  const { gpu } = need;
  if (gpu === undefined) return NO_GPUS;
  if (gpu.shareMilli === undefined) {
    const whole = state.gpus.flatMap((free, i) => (free === WHOLE_GPU ? i : []));
    return [whole.slice(0, gpu.count)];
  }
  const share = gpu.shareMilli;
  return state.gpus.flatMap((free, i) => (free >= share && state.gpus.indexOf(free) === i ? [[i]] : []));
}

/** The node after one replica took room (`sign` -1) or gave it back (1) on these GPUs. */
export function changed(state: NodeState, need: Resources, gpus: readonly number[], sign: -1 | 1): NodeState {
  const milli = sign * (need.gpu?.shareMilli ?? WHOLE_GPU);
  return {
    cpu: state.cpu + sign * need.cpuMillicores,
    memory: state.memory + sign * need.memoryMiB,
    disk: state.disk + sign * need.diskMiB,
    gpus:
      gpus.length === 0 ? state.gpus : state.gpus.map((free, i) => (gpus.includes(i) ? free + milli : free)),
    model: state.model,
  };
}

/** Text that is equal for equal states. */
export function stateKey({ cpu, memory, disk, gpus, model }: NodeState): string {
  return `${cpu}/${memory}/${disk}/${gpus.join(',')}/${model ?? ''}`;
}

const NO_GPUS: readonly (readonly number[])[] = [[]];

function shortOf(state: NodeState, need: Resources): { has: string; needs: string } | undefined {
  const amounts = [
    ['m of cpu', state.cpu, need.cpuMillicores],
    [' MiB of memory', state.memory, need.memoryMiB],
    [' MiB of disk', state.disk, need.diskMiB],
  ] as const;
  for (const [unit, free, wanted] of amounts) {
    if (wanted > free) return { has: `${free}${unit} free`, needs: `${wanted}${unit}` };
  }
  return fitsOn(state, need) ? undefined : gpuShort(state, need);
}

function gpuShort({ gpus, model }: NodeState, { gpu }: Resources): { has: string; needs: string } {
  const named = gpu?.models === undefined ? '' : ` of ${gpu.models.join(' or ')}`;
  const needs =
    gpu?.shareMilli === undefined
      ? `${gpu?.count ?? 0} whole ${gpu?.count === 1 ? 'GPU' : 'GPUs'}${named}`
      : `${gpu.shareMilli} thousandths of one GPU${named}`;
  if (gpus.length === 0) return { has: 'no GPU', needs };
  if (gpu !== undefined && !modelDoes(gpu, model))
    return { has: `GPUs of ${model ?? 'an unnamed model'}`, needs };
  const whole = gpus.filter((free) => free === WHOLE_GPU).length;
  if (gpu?.shareMilli === undefined) return { has: `${whole} of ${gpus.length} GPUs whole`, needs };
  return { has: `at most ${Math.max(...gpus)} thousandths free on one of ${gpus.length} GPUs`, needs };
}
