import { gpuMilliOf, WHOLE_GPU } from '../node-room.js';
import type { NodeState } from '../node-state.js';
import type { PackingPolicy, PackingSetup } from '../packing-policy.js';
import { largestOf } from './largest.js';

const STEPS = 100;

/**
 * The node whose free cpu and GPUs, as a vector, have the least product with what is wanted. For a share the GPU that is
 * taken counts alone, as the simulator of the FGD paper has it; else all whole ones together. In whole steps of a
 * hundredth, as there: nodes that differ by less count as equal.
 */
export function dotProduct({ nodes }: PackingSetup): PackingPolicy {
  const largest = largestOf(nodes);
  return {
    name: 'dot-product',
    unit: 'product',
    score(before, after, need) {
      const cpu = (before.cpu / largest.cpu) * (need.cpuMillicores / largest.cpu);
      const gpu =
        (offered(before, after, need.gpu?.shareMilli) / largest.gpuMilli) *
        (gpuMilliOf(need.gpu) / largest.gpuMilli);
      return Math.ceil(STEPS * ((cpu + gpu) / 2));
    },
  };
}

function offered(before: NodeState, after: NodeState, share: number | undefined): number {
  const whole = before.gpus.reduce((sum, free) => sum + (free === WHOLE_GPU ? free : 0), 0);
  if (share === undefined) return whole;
  const taken = before.gpus.find((free, i) => free !== after.gpus[i]) ?? 0;
  return taken === WHOLE_GPU ? whole : taken;
}
