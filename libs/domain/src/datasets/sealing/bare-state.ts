import type { OwnRecord, RecordState } from '@skerry/contracts';
import { claimsOf } from '../states.js';

/**
 * What of a state is said in clear beside what is sealed: which stores it speaks of and when it was written, so that the hub can
 * judge and order records as ever; no value, no element, no number, and not whether it is a deletion.
 */
export function bareState(state: RecordState): RecordState {
  switch (state.rule) {
    case 'newest':
    case 'single-writer': {
      const { value: _sealed, ...word } = state;
      return word;
    }
    case 'counter':
      return { rule: 'counter', counts: mapped(state.counts) };
    case 'set':
      return { rule: 'set', seen: state.seen, members: {} };
    case 'keep-both':
      return { ...state, siblings: state.siblings.map((sibling) => ({ ...sibling, value: '' })) };
  }
}

/** A state as text, the same for equal ones in whatever order their fields are. */
export function stateText(state: RecordState): string {
  return JSON.stringify(ordered(state));
}

/**
 * Whether what was sealed is what was said of it, and says nothing of stores that the hub has not looked at: who wrote it had the
 * key, and may still be a site that lies.
 */
export function isSealedAs(bare: RecordState, full: RecordState): boolean {
  if (stateText(bareState(full)) !== stateText(bare)) return false;
  // The elements of a set are not in what the hub sees; whoever added one is among those that it has seen.
  if (full.rule !== 'set') return true;
  return Object.entries(claimsOf(full).by).every(([origin, write]) => write <= (full.seen[origin] ?? 0));
}

/** Why a record may not lie at the hub as it is; undefined: it may. */
export function sealingProblem(
  { key, state, sealed }: OwnRecord,
  encryption: object | undefined,
): string | undefined {
  if (encryption === undefined)
    return sealed === undefined ? undefined : `${key}: sealed, and the dataset is not`;
  if (sealed === undefined) return `${key}: in clear, and the dataset is encrypted (spec.encryption)`;
  if (stateText(bareState(state)) !== stateText(state))
    return `${key}: sealed, with a value in clear beside it`;
  return undefined;
}

function mapped(counts: Readonly<Record<string, unknown>>): Record<string, [number, number]> {
  return Object.fromEntries(Object.keys(counts).map((origin) => [origin, [0, 0]]));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    members.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, ordered(member)]),
  );
}
