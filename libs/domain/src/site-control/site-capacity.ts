import { LIMITS, type CapacityDigest, type FreeShape } from '@skerry/contracts';
import type { SiteNode } from './node-ledger.js';

/**
 * What the nodes of a site could take, as classes of node sizes: at most `LIMITS.shapesPerDigest`. Beyond that the classes
 * that are most alike become one with the least of both, so that never more is promised than there is.
 */
export function capacityOfNodes(nodes: readonly SiteNode[]): CapacityDigest {
  const classes = new Map<string, FreeShape>();
  for (const { room } of nodes) {
    const key = keyOf(room);
    const known = classes.get(key);
    if (known) known.nodes += 1;
    else classes.set(key, shapeOf(room, 1));
  }
  const shapes = [...classes.values()].toSorted(byModelAndSize);
  while (shapes.length > LIMITS.shapesPerDigest) mergeNearest(shapes);
  const drivers = [...new Set(nodes.flatMap((n) => n.drivers))].toSorted();
  return { shapes, drivers };
}

function shapeOf(room: Omit<FreeShape, 'nodes'> | SiteNode['room'], nodes: number): FreeShape {
  const { cpuMillicores, memoryMiB, diskMiB, gpus, gpuModel } = room;
  const some = gpus !== undefined && gpus > 0;
  return {
    nodes,
    cpuMillicores,
    memoryMiB,
    diskMiB,
    ...(some ? { gpus } : {}),
    ...(some && gpuModel !== undefined ? { gpuModel } : {}),
  };
}

function keyOf({ cpuMillicores, memoryMiB, diskMiB, gpus, gpuModel }: SiteNode['room']): string {
  return `${cpuMillicores}/${memoryMiB}/${diskMiB}/${gpus ?? 0}/${gpuModel ?? ''}`;
}

function byModelAndSize(a: FreeShape, b: FreeShape): number {
  const [x, y] = [a.gpuModel ?? '', b.gpuModel ?? ''];
  if (x !== y) return x < y ? -1 : 1;
  return (
    (a.gpus ?? 0) - (b.gpus ?? 0) ||
    a.cpuMillicores - b.cpuMillicores ||
    a.memoryMiB - b.memoryMiB ||
    a.diskMiB - b.diskMiB
  );
}

/** Of neighbours in the order, the two of which least is lost. */
function mergeNearest(shapes: FreeShape[]): void {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i + 1 < shapes.length; i += 1) {
    const lost = lossOf(shapes[i], shapes[i + 1]);
    if (lost >= least) continue;
    least = lost;
    best = i;
  }
  const [a, b] = [shapes[best], shapes[best + 1]];
  if (a !== undefined && b !== undefined) shapes.splice(best, 2, least2(a, b));
}

function least2(a: FreeShape, b: FreeShape): FreeShape {
  const gpuModel = a.gpuModel === b.gpuModel ? a.gpuModel : undefined;
  const gpus = a.gpuModel === b.gpuModel ? Math.min(a.gpus ?? 0, b.gpus ?? 0) : 0;
  const room = {
    cpuMillicores: Math.min(a.cpuMillicores, b.cpuMillicores),
    memoryMiB: Math.min(a.memoryMiB, b.memoryMiB),
    diskMiB: Math.min(a.diskMiB, b.diskMiB),
    gpus,
    ...(gpuModel === undefined ? {} : { gpuModel }),
  };
  return shapeOf(room, a.nodes + b.nodes);
}

/** A GPU weighs more than anything else; the rest is counted in shares of the larger. */
function lossOf(a: FreeShape | undefined, b: FreeShape | undefined): number {
  if (a === undefined || b === undefined) return Number.POSITIVE_INFINITY;
  const merged = least2(a, b);
  return [a, b].reduce((sum, s) => {
    const gpus = (s.gpus ?? 0) - (merged.gpus ?? 0);
    const part = (of: 'cpuMillicores' | 'memoryMiB' | 'diskMiB') =>
      s[of] === 0 ? 0 : (s[of] - merged[of]) / s[of];
    return sum + s.nodes * (gpus * 10 + part('cpuMillicores') + part('memoryMiB') + part('diskMiB'));
  }, 0);
}
