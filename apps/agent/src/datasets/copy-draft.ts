import {
  Refusal,
  type Copy,
  type DatasetRecord,
  type ElsewhereRecord,
  type Holder,
  type RecordState,
  type Stamp,
} from '@skerry/contracts';
import {
  knownContext,
  laterStamp,
  mergeStates,
  nextStamp,
  stampOf,
  writeState,
  type Write,
} from '@skerry/domain';
import type { CopyKeys } from './copy-keys.js';
import { refuseTooMuch } from './copy-refusals.js';
import {
  asideLine,
  elsewhereLine,
  holderLine,
  isSame,
  keyLine,
  type HeldKey,
  type Line,
  type Marks,
} from './kept-lines.js';

/** Keys of others that are shown before they are in the file. */
const SHOWN_FIRST = 64;

/** What a batch changes, seen by no reader before it is on the disk. */
export interface CopyDraft extends Marks {
  /** In the order of the writes. */
  keys: Map<string, HeldKey>;
  elsewhere: ElsewhereRecord[];
  /** What was written as a home that was another's by then, by key. */
  aside: Map<string, Aside>;
  /** Of a home that moves: what is written down of it. */
  holder?: Holder;
  /** What it goes by once this is written. */
  rule?: Copy;
  clock: Stamp;
  durable: boolean;
  /** Marks are written though no key is. */
  kept: boolean;
}

/** A draft that changes nothing yet. */
export function emptyDraft(marks: Marks, clock: Stamp): CopyDraft {
  return { ...marks, clock, keys: new Map(), elsewhere: [], aside: new Map(), durable: false, kept: false };
}

/** What goes into the file, but for the marks. */
export function linesOf({ keys, elsewhere, aside, holder }: CopyDraft): Line[] {
  const lines = [...keys].map(([key, held]) => keyLine(key, held));
  for (const record of elsewhere) lines.push(elsewhereLine(record));
  for (const [key, { word }] of aside) lines.push(asideLine(key, word));
  if (holder !== undefined) lines.push(holderLine(holder));
  return lines;
}

/** Whether it is a little that others wrote, and nothing else. */
export function isOfOthers({ keys, elsewhere, aside, holder, rule, durable }: CopyDraft): boolean {
  const isOfHere = durable || holder !== undefined || rule !== undefined;
  const isElse = isOfHere || elsewhere.length > 0 || aside.size > 0;
  return !isElse && keys.size > 0 && keys.size <= SHOWN_FIRST;
}

/** A word that was set aside; with the number of its write while the hub may turn out to have it. */
export interface Aside {
  word: Word;
  write?: number;
}

export type Word = Extract<RecordState, { rule: 'single-writer' }>;

/** The copy that a draft is made over. */
export interface Beneath {
  rule: Copy;
  origin: string;
  keys: CopyKeys;
}

/** Writes to a draft. Throws a `Refusal`, with nothing changed. */
export function applyWrite(
  draft: CopyDraft,
  { rule, origin, keys }: Beneath,
  { key, write: asked, nowMs }: { key: string; write: Write; nowMs: number },
): void {
  const before = draft.keys.get(key) ?? keys.get(key);
  const write =
    'context' in asked && asked.context !== undefined
      ? { ...asked, context: knownContext(before?.state, asked.context) }
      : asked;
  const seen = before === undefined ? undefined : stampOf(before.state);
  const at = nextStamp(seen === undefined ? draft.clock : laterStamp(draft.clock, seen), nowMs);
  const author = { origin, write: draft.writes + 1, at, epoch: rule.holder?.epoch ?? 1 };
  const written = writeState(rule.conflicts, before?.state, write, author);
  if (!written.ok)
    throw new Refusal('invalid', written.problem, { hint: `this dataset takes: ${written.allowed}` });
  refuseTooMuch(rule, written.state, {
    key,
    isNew: before === undefined,
    keys: keys.count + draft.keys.size,
    bytes: keys.bytes,
  });
  // At the end: writes wait in their order, also of a key that was written before in the same batch.
  draft.keys.delete(key);
  draft.keys.set(key, { state: written.state, own: author.write });
  draft.writes = author.write;
  draft.clock = at;
  draft.durable = true;
}

/** Merges what another store, or this one, has written into a draft. */
export function mergeRecord(
  draft: CopyDraft,
  { rule, origin: here, keys }: Beneath,
  { key, state, origin, write }: DatasetRecord,
): void {
  if (state.rule !== rule.conflicts) return;
  const before = draft.keys.get(key) ?? keys.get(key);
  const merged = before === undefined ? state : mergeStates(before.state, state);
  const at = stampOf(state);
  // The hub has looked at how far ahead it is.
  if (at !== undefined) draft.clock = laterStamp(draft.clock, at);
  if (origin === here) draft.writes = Math.max(draft.writes, write);
  if (before !== undefined && isSame(merged, before.state)) return;
  if (before !== undefined && before.own > draft.sent) keepUnseen(draft, { key, before, state, here });
  draft.keys.set(key, { state: merged, own: before?.own ?? 0 });
}

/** What was written here as a home that was cut off, and the hub may not have, would be gone: who is home since has not seen it. */
function keepUnseen(
  draft: CopyDraft,
  { key, before: { state: word, own: write }, state, here }: OverOwn,
): void {
  if (word.rule !== 'single-writer' || state.rule !== 'single-writer') return;
  if (word.by !== here || state.by === here || state.epoch <= word.epoch) return;
  draft.aside.set(key, { word, write });
  draft.durable = true;
}

interface OverOwn {
  key: string;
  before: HeldKey;
  state: RecordState;
  here: string;
}

/** Whether a write says which writes of others it has seen. */
export const namesOthers = ({ conflicts }: Copy) => conflicts === 'set' || conflicts === 'keep-both';
