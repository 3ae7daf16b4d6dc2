import type { Resources } from '@skerry/contracts';
import type { NodeSize } from './node-room.js';
import type { NodeState } from './node-state.js';
import type { TaskClass } from './task-classes.js';

/** What a policy may know beforehand. */
export interface PackingSetup {
  readonly nodes: readonly NodeSize[];
  /** The tasks that are to be expected, where that is known; a policy that learns does without. */
  readonly expected: readonly TaskClass[];
  /** Of the one policy that draws. */
  readonly seed: number;
}

/** A way to choose among nodes where a replica fits; one file each and one line in the registry. */
export interface PackingPolicy {
  readonly name: string;
  /** What it looks at, in a few words for an operator. */
  readonly unit: string;
  /**
   * How bad it is to bring a node from `before` to `after` by placing `need`; the least wins, of equals the first node. The
   * same arguments give the same number until `saw` says otherwise.
   */
  score(before: NodeState, after: NodeState, need: Resources): number;
  /** Told of each arrival before it is placed; true when scores given so far do not hold any more. */
  saw?(need: Resources): boolean;
  /** Set when the same arguments do not give the same number: nothing is remembered then. */
  readonly draws?: boolean;
}
