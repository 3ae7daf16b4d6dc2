import {
  copySchema,
  datasetKeySchema,
  holderSchema,
  recordStateSchema,
  type ElsewhereRecord,
  type Holder,
  type RecordState,
} from '@skerry/contracts';
import { z } from 'zod';

/** What lies in the file of a copy. The first line says what it is. */
export const headSchema = z.strictObject({
  kind: z.literal('Copy'),
  copy: copySchema,
  store: z.string(),
  since: z.string(),
});
/** A key's state, and the newest write of this store on it; 0 for none. */
const stateLine = z.tuple([z.literal('k'), datasetKeySchema, z.number().int().min(0), recordStateSchema]);
/**
 * Up to where the hub's stream was read, how often this store has written, and up to which write the hub has it; then the epoch of
 * the stream, when it is known.
 */
const marksLine = z.tuple(
  [z.literal('m'), z.number().int(), z.number().int(), z.number().int()],
  z.number().int(),
);
/** What may be known here of a key in another area. */
const elsewhereLineSchema = z.tuple([z.literal('e'), z.string(), datasetKeySchema, recordStateSchema]);
/** What was written as a home that was another's by then. */
const asideLineSchema = z.tuple([z.literal('a'), datasetKeySchema, recordStateSchema]);
/** Of a home that moves: what was told last. */
const holderLineSchema = z.tuple([z.literal('h'), holderSchema]);
const lineSchema = z.union([
  stateLine,
  marksLine,
  elsewhereLineSchema,
  asideLineSchema,
  holderLineSchema,
  headSchema,
]);
export type Line = z.infer<typeof lineSchema>;
export type HomeLine = z.infer<typeof asideLineSchema> | z.infer<typeof holderLineSchema>;

/** One key as a copy holds it. */
export interface HeldKey {
  state: RecordState;
  own: number;
}

/** Values of one key, of `keep-both`. */
export type Siblings = Extract<RecordState, { rule: 'keep-both' }>['siblings'];

export interface Marks {
  cursor: number;
  writes: number;
  sent: number;
  /** Of the hub's stream, in which `cursor` was read; 0: not known. */
  streamEpoch: number;
}

/**
 * A line as it was written. Of a key's only the outline is looked at: its checksum says that it is what this program wrote, and a
 * million are read when an agent starts. Throws for what is no line.
 */
export function lineIn(value: unknown): Line {
  return isKeyLine(value) ? value : lineSchema.parse(value);
}

function isKeyLine(value: unknown): value is z.infer<typeof stateLine> {
  if (!Array.isArray(value) || value.length !== 4 || value[0] !== 'k') return false;
  const state: unknown = value[3];
  return (
    typeof value[1] === 'string' &&
    typeof value[2] === 'number' &&
    typeof state === 'object' &&
    state !== null
  );
}

export const keyLine = (key: string, { state, own }: HeldKey): Line => ['k', key, own, state];
export const elsewhereLine = ({
  area,
  key,
  state,
}: Pick<ElsewhereRecord, 'area' | 'key' | 'state'>): Line => ['e', area, key, state];
export const asideLine = (key: string, state: RecordState): Line => ['a', key, state];
export const holderLine = (holder: Holder): Line => ['h', holder];
export const marksOf = ({ cursor, writes, sent, streamEpoch }: Marks): Line =>
  streamEpoch === 0 ? ['m', cursor, writes, sent] : ['m', cursor, writes, sent, streamEpoch];
export function marksIn([, cursor, writes, sent, streamEpoch = 0]: z.infer<typeof marksLine>): Marks {
  return { cursor, writes, sent, streamEpoch };
}

/** Of two values one is taken as it is; under the other rules something new is made, which may say the same. */
export function isSame(merged: RecordState, before: RecordState): boolean {
  if (merged === before) return true;
  if (merged.rule === 'newest' || merged.rule === 'single-writer') return false;
  return JSON.stringify(merged) === JSON.stringify(before);
}
