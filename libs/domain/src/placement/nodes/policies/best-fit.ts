import { largestOf } from './largest.js';
import { freeGpuMilli } from '../node-state.js';
import type { PackingPolicy, PackingSetup } from '../packing-policy.js';

/** The node with the least left over: the mean over cpu and GPUs, each as a part of the largest node's; a share into the tightest GPU. */
export function bestFit({ nodes }: PackingSetup): PackingPolicy {
  const largest = largestOf(nodes);
  return {
    name: 'best-fit',
    unit: 'part left',
    score(before, after, need) {
      const left = (after.cpu / largest.cpu + freeGpuMilli(after) / largest.gpuMilli) / 2;
      const share = need.gpu?.shareMilli;
      if (share === undefined) return left;
      // Which GPU of a node changes none of the sums: the tightest, by a margin that no other node can have.
      const taken = before.gpus.find((free, i) => free !== after.gpus[i]) ?? 0;
      return left + taken * 1e-9;
    },
  };
}
