import { z } from 'zod';
import { datasetResidencySchema } from './dataset.js';
import { originSchema } from './dataset-records.js';
import {
  encryptionSchema,
  sealedSchema,
  sealingNewsSchema,
  sealingRequestSchema,
} from './dataset-sealing.js';
import { declaredDatasetSchema } from './held-dataset.js';
import { LIMITS } from './limits.js';
import { edgeRuleSchema, logFlowSchema } from './log-rules.js';
import { count, jurisdictionSchema, millis, nameSchema, positiveCount, storeSchema } from './primitives.js';

const at = z.number().int().min(0).max(8.64e15);
const textSchema = z.string().max(LIMITS.datasetValueBytes);

/** One entry of who wrote it, numbered from 1 without a hole; each log that is made at a node is a store of its own; `at` is that node's clock, ms since 1970. */
export const ownEntrySchema = z.strictObject({
  number: positiveCount,
  at,
  /** Empty where it is sealed. */
  value: textSchema,
  /** Of an encrypted log, outside of its sites: what it holds. */
  sealed: sealedSchema.optional(),
});
export type OwnEntry = z.infer<typeof ownEntrySchema>;
/** Entries that there are no more: more came than was kept before they could go on. */
export const gapSchema = z.strictObject({ origin: originSchema, from: positiveCount, to: positiveCount });
export type Gap = z.infer<typeof gapSchema>;
/** What a log consists of, wherever it is read. */
export const logItemSchema = z.union([
  z.strictObject({
    origin: originSchema,
    ...ownEntrySchema.shape,
    /** With `residency.origin`: written in this other area, and of its value what may be known here. */
    area: jurisdictionSchema.optional(),
  }),
  z.strictObject({ gap: gapSchema }),
]);
export type LogItem = z.infer<typeof logItemSchema>;

/** What the centre writes under in a `broadcast`, which no site writes: one that was called so would have none of its own there. */
export const centreOrigin = (store: string) => `centre.${store}`;

const logRef = { project: nameSchema, name: nameSchema, incarnation: positiveCount };

/** A log that a site shall have: what an agent needs of it. */
export const logRuleSchema = z.strictObject({
  ...logRef,
  generation: positiveCount,
  flow: logFlowSchema,
  edge: edgeRuleSchema.optional(),
  ttlMs: millis(1_000, 10 * 365 * 86_400_000).optional(),
  bytes: positiveCount,
  valueBytes: positiveCount,
  encryption: encryptionSchema.optional(),
  /** With encryption: who may have its keys. */
  residency: datasetResidencySchema.optional(),
  /** With `residency.origin`: the area that this site is in. */
  area: jurisdictionSchema.optional(),
  /** Absent: it does not come back by itself to a hub that has lost it, or was said before at this generation. */
  declared: declaredDatasetSchema.optional(),
});
export type LogRule = z.infer<typeof logRuleSchema>;

/**
 * Below: what agents and the hub say of logs; all of it is about one site, which the server puts into the subject.
 * `rpc.logs`: which logs this node shall have, and how far it is; after each reconnect and every five minutes.
 */
export const logsRequestSchema = z.strictObject({
  /** From a node all of whose logs have one store; of others each says its own. */
  store: storeSchema.optional(),
  held: z
    .array(
      z.strictObject({
        ...logRef,
        generation: positiveCount,
        store: storeSchema.optional(),
        /** Up to where the hub's stream was read. */
        cursor: count.optional(),
        /** The epoch of `LOGS` in which that was read; absent: not known. */
        streamEpoch: positiveCount.optional(),
        /**
         * How many entries were written here, with those that windows which are open will make. Absent: not known, and then nothing but
         * a rule takes the log from there.
         */
        written: count.optional(),
      }),
    )
    .max(LIMITS.copiesPerSite),
  /** Only from a node that can seal; `store` is who it is to those that wrap keys for it. */
  sealing: sealingRequestSchema.extend({ store: storeSchema.optional() }).optional(),
});
export type LogsRequest = z.infer<typeof logsRequestSchema>;
export const logNewsSchema = z.strictObject({
  logs: z.array(
    z.strictObject({
      log: logRuleSchema,
      /** Sequence of its newest message in the hub's stream. */
      head: count,
      /** Up to which entry of this store the hub has them; absent: not looked at. */
      stored: count.optional(),
      /** The stream has lost what was read of it, and may hold something else there: read everything again. */
      again: z.boolean().optional(),
      /** The epoch of `LOGS`: what is read from now on is of it. */
      streamEpoch: positiveCount.optional(),
      sealing: sealingNewsSchema.optional(),
    }),
  ),
  /** Logs that it has to forget. What is in neither list stays as it is. */
  gone: z.array(
    z.strictObject({
      ...logRef,
      /** Only once the hub has every entry that was written here: until then it stays. */
      ifSent: z.boolean().optional(),
      /** With that: up to which entry of this store the hub has them. Absent: not said by a hub of before. */
      stored: count.optional(),
    }),
  ),
  /** Of what this node holds, logs that the hub has never heard of: it was restored from an older backup. */
  unknown: z.array(z.strictObject(logRef)).optional(),
});
export type LogNews = z.infer<typeof logNewsSchema>;

/** `rpc.entries`: what there is of a store's entries `from` to `upTo`, in their order; what is missing among them is gone. */
export const entriesRequestSchema = z.strictObject({
  ...logRef,
  store: storeSchema,
  from: positiveCount,
  upTo: positiveCount,
  entries: z.array(ownEntrySchema).max(LIMITS.recordsPerMessage),
});
export type EntriesRequest = z.infer<typeof entriesRequestSchema>;
/** `behind`: the hub has them up to `stored` alone, and something between is asked for first. */
export const entriesAnswerSchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), stored: count }),
  z.strictObject({
    ok: z.literal(false),
    code: z.enum(['unavailable', 'refused', 'behind']),
    retryAfterMs: count,
    reason: z.string().max(300),
    stored: count.optional(),
  }),
]);
export type EntriesAnswer = z.infer<typeof entriesAnswerSchema>;

/** `rpc.entrypull`: what a log lacks of what others wrote. */
export const entryPullSchema = z.strictObject({ ...logRef, after: count });
/** What lies in the hub's stream after a place, in its order. */
const pageFields = { items: z.array(logItemSchema).max(LIMITS.logItemsPerPage), upTo: count };
export const entryPageSchema = z.discriminatedUnion('ok', [
  z.strictObject({
    ok: z.literal(true),
    ...pageFields,
    more: z.boolean(),
    streamEpoch: positiveCount.optional(),
  }),
  z.strictObject({ ok: z.literal(false), reason: z.string().max(300) }),
]);
export type EntryPage = z.infer<typeof entryPageSchema>;
/** `dl.entries`: what is new, to each site that is to have it; follows what lay there up to `after`. */
export const entryDeliverySchema = z.strictObject({
  ...logRef,
  after: count,
  ...pageFields,
  /** The epoch of `LOGS`; who reads another asks first where it is. */
  streamEpoch: positiveCount.optional(),
});
export type EntryDelivery = z.infer<typeof entryDeliverySchema>;

/**
 * A batch as it lies in stream `LOGS`: entries `from` to `upTo` of one origin. Those that are missing are gone; without entries
 * and with `from` above `upTo` it says only how far the origin was.
 */
export const storedEntriesSchema = z.strictObject({
  kind: z.literal('Entries'),
  ...logRef,
  origin: originSchema,
  from: positiveCount,
  upTo: count,
  entries: z.array(ownEntrySchema).max(LIMITS.recordsPerMessage),
  /** Bytes of all that was ever stored of this log, with this. */
  totalBytes: count,
});
export type StoredEntries = z.infer<typeof storedEntriesSchema>;
