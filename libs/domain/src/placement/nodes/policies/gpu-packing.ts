import { WHOLE_GPU } from '../node-room.js';
import type { PackingPolicy } from '../packing-policy.js';

/** Used GPUs before free ones of used nodes before free nodes; within these the fewest GPUs, and of shares the tightest. */
export function gpuPacking(): PackingPolicy {
  return {
    name: 'gpu-packing',
    unit: 'rank',
    score(before, after, need) {
      if (need.gpu === undefined) return 0;
      const whole = before.gpus.filter((free) => free === WHOLE_GPU).length;
      const opened = whole - after.gpus.filter((free) => free === WHOLE_GPU).length;
      if (opened === 0) return (before.gpus.find((free, i) => free !== after.gpus[i]) ?? 0) / WHOLE_GPU;
      return (whole === before.gpus.length ? 1_000 + whole : 100) + opened;
    },
  };
}
