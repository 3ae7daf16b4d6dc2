import type { ConflictRule, RecordState, Stamp } from '@skerry/contracts';
import { MAX_AHEAD_MS } from './clock.js';
import type { Author, Claims, Rule, Seen, Shown, StateOf, Write, Written } from './rule.js';
import { RULES } from './rules/index.js';

/** A deletion is remembered for so long; a site that was away for longer may bring back what was deleted meanwhile. */
export const DELETION_KEPT_MS = 30 * 86_400_000;

/** The rules for states of which only their own field says which rule they are of. */
interface AnyRule {
  merge(a: RecordState, b: RecordState): RecordState;
  write(state: RecordState | undefined, write: Write, author: Author): Written<RecordState>;
  show(state: RecordState): Shown | undefined;
  own(state: RecordState, origin: string): RecordState | undefined;
  stamp(state: RecordState): Stamp | undefined;
  claims(state: RecordState): Claims;
}

/** All that two states of one key knew. States of two rules do not meet: whoever takes a record in refuses it before. */
export function mergeStates(a: RecordState, b: RecordState): RecordState {
  return ANY[a.rule].merge(a, b);
}

/** Applies a write to what is known of a key. */
export function writeState(
  rule: ConflictRule,
  state: RecordState | undefined,
  write: Write,
  author: Author,
): Written<RecordState> {
  return ANY[rule].write(state, write, author);
}

/** What a key shows at this moment; undefined when there is nothing, or nothing any more. */
export function showState(
  state: RecordState,
  { ttlMs, nowMs }: { ttlMs?: number | undefined; nowMs: number },
): Shown | undefined {
  const rule = ANY[state.rule];
  return isExpired(rule.stamp(state), ttlMs, nowMs) ? undefined : rule.show(state);
}

/** What this store has to tell of a key; undefined: another's word is newer than its own. */
export function ownState(state: RecordState, origin: string): RecordState | undefined {
  return ANY[state.rule].own(state, origin);
}

/** The newest moment of a state; undefined under a rule that knows of none. */
export function stampOf(state: RecordState): Stamp | undefined {
  return ANY[state.rule].stamp(state);
}

/** What a state says of stores. */
export function claimsOf(state: RecordState): Claims {
  return ANY[state.rule].claims(state);
}

/**
 * Whether nothing is lost with it: what has run out, since an older write has run out too; and a deletion so old that no older
 * write is on its way any more.
 */
export function isDroppable(state: RecordState, ttlMs: number | undefined, nowMs: number): boolean {
  const at = ANY[state.rule].stamp(state);
  // Without siblings there is no moment, so a deletion under keep-both stays.
  if (at === undefined || nowMs - at[0] < (ttlMs ?? DELETION_KEPT_MS) + MAX_AHEAD_MS) return false;
  return showState(state, { ttlMs, nowMs }) === undefined;
}

/** What was seen, of a context that was given: nothing beyond what is known here. */
export function knownContext(state: RecordState | undefined, context: Seen): Seen {
  const seen = state === undefined ? {} : claimsOf(state).seen;
  return Object.fromEntries(
    Object.entries(context).flatMap(([origin, write]) => {
      const known = seen[origin];
      return known === undefined ? [] : [[origin, Math.min(known, write)]];
    }),
  );
}

function isExpired(at: Stamp | undefined, ttlMs: number | undefined, nowMs: number): boolean {
  return ttlMs !== undefined && at !== undefined && at[0] + ttlMs <= nowMs;
}

const ANY: Readonly<Record<ConflictRule, AnyRule>> = {
  newest: erased('newest', RULES.newest),
  counter: erased('counter', RULES.counter),
  set: erased('set', RULES.set),
  'keep-both': erased('keep-both', RULES['keep-both']),
  'single-writer': erased('single-writer', RULES['single-writer']),
};

function erased<R extends ConflictRule>(name: R, rule: Rule<R>): AnyRule {
  const is = (state: RecordState): state is StateOf<R> => state.rule === name;
  return {
    merge: (a, b) => (is(a) && is(b) ? rule.merge(a, b) : a),
    write: (state, write, author) =>
      rule.write(state !== undefined && is(state) ? state : undefined, write, author),
    show: (state) => (is(state) ? rule.show(state) : undefined),
    own: (state, origin) => (is(state) ? rule.own(state, origin) : undefined),
    stamp: (state) => (is(state) ? rule.stamp(state) : undefined),
    claims: (state) => (is(state) ? rule.claims(state) : { seen: {}, by: {} }),
  };
}
