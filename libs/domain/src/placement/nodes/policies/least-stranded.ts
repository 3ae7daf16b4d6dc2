import type { Resources } from '@skerry/contracts';
import type { NodeState } from '../node-state.js';
import type { PackingPolicy, PackingSetup } from '../packing-policy.js';
import { holeUse } from '../hole-use.js';
import { needKey, TaskMix, type TaskClass } from '../task-classes.js';
import { gpuMilliOf, WHOLE_GPU } from '../node-room.js';
import { largestOf } from './largest.js';

/** Arrivals after which the mix is learned anew: at first after so many, then each time they are so many times as many. */
const FIRST_LOOK = 16;
const LOOK_FACTOR = 4;
/** Classes told apart; of more, the rest is not learned from. */
const CLASSES_MAX = 1_024;
/** Between nodes that strand the same: small enough to decide nothing else. */
const TIE = 1e-6;

/** Power by which a class weighs more the smaller it is when nodes are filled up. */
const SMALLNESS = 3;

/**
 * The node on which the least free GPU gets stranded, by three measures in GPUs: what would be left if the node were filled
 * up with one class, which sees early that cpu or memory ends before the GPUs do (small classes weigh most: in the end it is
 * they who fill what large ones leave); what no series of shares is likely to use of each GPU; and fragmentation as FGD has
 * it, which keeps room for the large. The mix of tasks is learned from arrivals; nothing is known beforehand. Between equals
 * the node that is filled best wins, so that without GPUs this is best fit, and whole nodes stay whole. The power
 * was chosen on the openb trace and on changed copies of it; test/bench/README.md has the figures.
 */
export function leastStranded({ nodes }: Pick<PackingSetup, 'nodes'>): PackingPolicy {
  const largest = largestOf(nodes);
  const seen = new Map<string, { need: Resources; count: number }>();
  let arrivals = 0;
  let nextLook = FIRST_LOOK;
  let stranded = measure([]);

  return {
    name: 'least-stranded',
    unit: 'GPUs stranded',
    score(before, after) {
      return (stranded(after) - stranded(before)) / WHOLE_GPU + TIE * leftOver(after, largest);
    },
    saw(need) {
      const key = needKey(need);
      const known = seen.get(key);
      if (known) known.count += 1;
      else if (seen.size < CLASSES_MAX) seen.set(key, { need, count: 1 });
      arrivals += 1;
      if (arrivals < nextLook) return false;
      nextLook *= LOOK_FACTOR;
      stranded = measure([...seen.values()]);
      return true;
    },
  };
}

/** How much is free, in parts of the largest node; free GPUs count less the more whole they are. */
function leftOver(state: NodeState, largest: ReturnType<typeof largestOf>): number {
  let holes = 0;
  for (const free of state.gpus) holes += free * (2 - free / WHOLE_GPU);
  return state.cpu / largest.cpu + state.memory / largest.memory + holes / largest.gpuMilli;
}

/** Thousandths of the node's free GPUs that count as stranded, remembered by state. */
function measure(classes: readonly TaskClass[]): (state: NodeState) => number {
  const mix = new TaskMix(classes);
  const small = new TaskMix(
    classes.filter(({ need }) => need.gpu !== undefined),
    ({ need, count }) => count / (gpuMilliOf(need.gpu) / WHOLE_GPU) ** SMALLNESS,
  );
  const use = holeUse(classes);
  const known = new WeakMap<NodeState, number>();
  return (state) => {
    const before = known.get(state);
    if (before !== undefined) return before;
    let value = mix.fragmentation(state) + small.leftByFilling(state);
    for (const free of state.gpus) value += free - (use[free] ?? 0);
    known.set(state, value);
    return value;
  };
}
