import type { ConflictRule, RecordState, Stamp } from '@skerry/contracts';

/** What is known of a key under one rule. */
export type StateOf<R extends ConflictRule> = Extract<RecordState, { rule: R }>;

/** What a write asks for. */
export type Write =
  | { verb: 'put'; value: string; context?: Seen | undefined }
  | { verb: 'delete'; context?: Seen | undefined }
  | { verb: 'count'; by: number }
  | { verb: 'change'; add: readonly string[]; remove: readonly string[] };

/** Of each store the newest write that is known. */
export type Seen = Readonly<Record<string, number>>;

/** By whom and when a write is made. */
export interface Author {
  origin: string;
  /** The number of this write among those of the store. */
  write: number;
  at: Stamp;
  /** Of `single-writer`. */
  epoch: number;
}

/** What a key shows. Undefined: nothing is there. */
export interface Shown {
  value?: string;
  values?: string[];
  number?: number;
  elements?: string[];
  /** What a writer gives back who wants to replace what is seen. */
  context?: Seen;
  at?: Stamp;
}

/** What a write makes of a state; or why the rule has no such write. */
export type Written<S> = { ok: true; state: S } | { ok: false; problem: string; allowed: string };

/** One conflict rule. `merge` is commutative, associative and idempotent. */
export interface Rule<R extends ConflictRule> {
  merge(a: StateOf<R>, b: StateOf<R>): StateOf<R>;
  /** Applies a write to what is known here; undefined: nothing yet. */
  write(state: StateOf<R> | undefined, write: Write, author: Author): Written<StateOf<R>>;
  show(state: StateOf<R>): Shown | undefined;
  /**
   * What of a state this store has to tell, so that all who have it and what the others tell know all; undefined: nothing,
   * another's word is newer.
   */
  own(state: StateOf<R>, origin: string): StateOf<R> | undefined;
  /** The newest moment in it. */
  stamp(state: StateOf<R>): Stamp | undefined;
  /** What it says of stores: who wrote it, and which writes it knows of. */
  claims(state: StateOf<R>): Claims;
}

/** Writes that a state has seen, and stores that it says it was written by. */
export interface Claims {
  seen: Seen;
  /** With each the newest of its writes that is named. */
  by: Seen;
}

/** A refusal of a write that the rule does not have. */
export function without<S>(problem: string, allowed: string): Written<S> {
  return { ok: false, problem, allowed };
}
