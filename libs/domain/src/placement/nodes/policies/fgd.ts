import type { PackingPolicy, PackingSetup } from '../packing-policy.js';
import { TaskMix, type TaskClass } from '../task-classes.js';

/** Classes that make up so much of all tasks, most frequent first, stand for them. */
const TYPICAL_SHARE = 0.95;
const STEPS = 100;
const MILLI = 1_000;

/**
 * Fragmentation gradient descent (Weng et al., "Beware of Fragmentation", USENIX ATC 2023): the node whose expected unusable
 * free GPU grows the least. As in the authors' simulator the growth is brought to whole steps of a sigmoid, 0 to 100, over
 * the classes that make up 95 % of the tasks, known beforehand.
 */
export function fgd({ expected }: PackingSetup): PackingPolicy {
  const mix = new TaskMix(typical(expected));
  const before = new WeakMap<object, number>();
  return {
    name: 'fgd',
    unit: 'steps lost',
    score(from, to) {
      const was = before.get(from) ?? mix.fragmentation(from);
      before.set(from, was);
      const gain = (was - mix.fragmentation(to)) / MILLI;
      return -Math.floor(STEPS / (1 + Math.exp(-gain)));
    },
  };
}

function typical(classes: readonly TaskClass[]): TaskClass[] {
  const all = classes.reduce((sum, c) => sum + c.count, 0);
  const chosen: TaskClass[] = [];
  let sum = 0;
  for (const task of classes) {
    if (sum >= all * TYPICAL_SHARE) break;
    chosen.push(task);
    sum += task.count;
  }
  return chosen;
}
