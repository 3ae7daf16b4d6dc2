import { logItemSchema, logRuleSchema, type LogItem, type LogRule } from '@skerry/contracts';
import type { Fold } from '@skerry/domain';
import { z } from 'zod';

const finite = z.number().refine(Number.isFinite);
const whole = z.number().int().min(0);
/** What the edge's rule remembers of a sensor. */
const foldSchema: z.ZodType<Fold> = z.discriminatedUnion('keep', [
  z.strictObject({ keep: z.literal('one-in'), count: whole }),
  z.strictObject({ keep: z.literal('changes'), last: z.string() }),
  z.strictObject({
    keep: z.literal('windows'),
    start: whole,
    end: whole,
    last: whole,
    count: whole,
    min: finite,
    max: finite,
    mean: finite,
  }),
]);
/** Sensors whose fold is another one now; `null`: nothing is remembered. */
const foldsSchema = z.array(z.tuple([z.string(), foldSchema.nullable()]));

/** The first line of each file: all that is known at its beginning, so that older files may go. */
export const headSchema = z.strictObject({
  kind: z.literal('EntryLog'),
  rule: logRuleSchema,
  store: z.string(),
  since: z.string(),
  sent: whole,
  cursor: whole,
  /** Of the hub's stream; absent: not known. */
  streamEpoch: whole.optional(),
  reached: z.record(z.string(), whole),
  folds: foldsSchema,
});
export type Head = z.infer<typeof headSchema>;

/**
 * Of how many writers is remembered how far they were (`reached` of each file's first line). Those of the centre become more: each
 * process that wrote there is one.
 */
export const mostWriters = ({ flow }: Pick<LogRule, 'flow'>) => (flow === 'broadcast' ? 64 : Infinity);

/** Entries written here, one write: its place in this log, the number of its first entry, the entries, and folds. */
const ownLine = z.tuple([
  z.literal('o'),
  whole,
  whole,
  z.array(z.tuple([z.number().int(), z.string()])),
  foldsSchema,
]);
/** What came from the hub: its place in this log, up to where the hub's stream was read, and the items. */
const heardLine = z.tuple([z.literal('h'), whole, whole, z.array(logItemSchema)]);
/** Up to which own entry the hub has them, up to where its stream was read, and the epoch of that when it is known. */
const marksLine = z.tuple([z.literal('m'), whole, whole], whole);
export const lineSchema = z.union([ownLine, heardLine, marksLine]);
export type Line = z.infer<typeof lineSchema>;

/** An item with its place in this log. */
export interface Placed {
  place: number;
  item: LogItem;
}

/** The items of a line, written here under `origin`. */
export function itemsOfLine(line: Line, origin: string): Placed[] {
  switch (line[0]) {
    case 'o': {
      const [, place, first, entries] = line;
      return entries.map(([at, value], n) => ({
        place: place + n,
        item: { origin, number: first + n, at, value },
      }));
    }
    case 'h': {
      const [, place, , items] = line;
      return items.map((item, n) => ({ place: place + n, item }));
    }
    case 'm':
      return [];
  }
}
