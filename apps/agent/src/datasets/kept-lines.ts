import { copySchema, datasetKeySchema, recordStateSchema, type RecordState } from '@skerry/contracts';
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
/** Up to where the hub's stream was read, how often this store has written, and up to which write the hub has it. */
const marksLine = z.tuple([z.literal('m'), z.number().int(), z.number().int(), z.number().int()]);
export const lineSchema = z.union([stateLine, marksLine, headSchema]);
export type Line = z.infer<typeof lineSchema>;

/** One key as a copy holds it. */
export interface HeldKey {
  state: RecordState;
  own: number;
}

export interface Marks {
  cursor: number;
  writes: number;
  sent: number;
}

export const keyLine = (key: string, { state, own }: HeldKey): Line => ['k', key, own, state];
export const marksOf = ({ cursor, writes, sent }: Marks): Line => ['m', cursor, writes, sent];
