import { Refusal } from '@skerry/contracts';
import { refuseElsewhere } from './copy-refusals.js';
import type { Copy } from './copy.js';

/** Who writes a dataset, as this node knows. */
export interface HomeHere {
  /** Whether this site may write it now. */
  writes: boolean;
  /** With `conflicts: single-writer`: the site that writes; absent where that is none yet, and where every site writes. */
  site?: string;
  /** Of a home that moves: it rises with each move; and the workload that it moves with. */
  epoch?: number;
  with?: string;
  /** Why this site may not. */
  why?: string;
}

export function homeHere({ rule, home: moving }: Copy, here: string): HomeHere {
  const { conflicts, holder, home } = rule;
  const site = holder === undefined ? home : holder.site;
  const moves = holder === undefined ? {} : { epoch: holder.epoch, with: holder.with };
  const who = conflicts === 'single-writer' && site !== undefined ? { site } : {};
  try {
    refuseElsewhere(rule, here);
    moving.check(rule);
    return { writes: true, ...who, ...moves };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { writes: false, ...who, ...moves, why: error.message };
  }
}
