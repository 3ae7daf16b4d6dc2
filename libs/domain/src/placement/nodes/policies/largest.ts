import { WHOLE_GPU, type NodeSize } from '../node-room.js';

/** The largest cpu, memory and GPUs among the nodes, at least 1 each: what amounts are parts of. */
export function largestOf(nodes: readonly NodeSize[]): { cpu: number; memory: number; gpuMilli: number } {
  const largest = { cpu: 1, memory: 1, gpuMilli: 1 };
  for (const { cpuMillicores, memoryMiB, gpus } of nodes) {
    largest.cpu = Math.max(largest.cpu, cpuMillicores);
    largest.memory = Math.max(largest.memory, memoryMiB);
    largest.gpuMilli = Math.max(largest.gpuMilli, (gpus ?? 0) * WHOLE_GPU);
  }
  return largest;
}
