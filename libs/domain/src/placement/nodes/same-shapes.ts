import type { FreeShape } from '@skerry/contracts';

/** Whether two digests describe the same nodes, in the same order. */
export function sameShapes(a: readonly FreeShape[], b: readonly FreeShape[]): boolean {
  return a.length === b.length && a.every((shape, i) => sameShape(shape, b[i]));
}

function sameShape(a: FreeShape, b: FreeShape | undefined): boolean {
  return (
    b !== undefined &&
    a.nodes === b.nodes &&
    a.cpuMillicores === b.cpuMillicores &&
    a.memoryMiB === b.memoryMiB &&
    a.diskMiB === b.diskMiB &&
    (a.gpus ?? 0) === (b.gpus ?? 0) &&
    a.gpuModel === b.gpuModel
  );
}
