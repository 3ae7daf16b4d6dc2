import { z } from 'zod';
import { refusedAccessFields } from './refused-access.js';
import { conflictRuleSchema, datasetLimitsSchema, datasetResidencySchema } from './dataset.js';
import { holderSchema } from './dataset-home.js';
import {
  encryptionSchema,
  sealedStateSchema,
  sealingNewsSchema,
  sealingRequestSchema,
} from './dataset-sealing.js';
import { declaredDatasetSchema } from './held-dataset.js';
import { LIMITS } from './limits.js';
import { copyObjectsSchema } from './object-rules.js';
import { count, jurisdictionSchema, millis, nameSchema, positiveCount, storeSchema } from './primitives.js';

/** Who wrote a record: `<site>.<store>`. */
export const originSchema = z.string().regex(/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\.[0-9a-f]{16}$/);
/** A moment of the hybrid logical clock: milliseconds since 1970, and a count within them. */
export const stampSchema = z.tuple([
  z.number().int().min(0).max(8.64e15),
  z.number().int().min(0).max(65_535),
]);
export type Stamp = z.infer<typeof stampSchema>;

export const datasetKeySchema = z
  .string()
  .min(1)
  .max(LIMITS.datasetKeyChars)
  // Printable, so that a key can be shown, logged and typed.
  .regex(/^[^\p{C}]+$/u, 'printable characters');

/** One write of a store, numbered from 1 in each copy. */
const numberSchema = positiveCount;
const textSchema = z.string().max(LIMITS.datasetValueBytes);
/** An element of a set. Names that objects have by themselves are none. */
export const elementSchema = z
  .string()
  .min(1)
  .max(LIMITS.datasetKeyChars)
  .refine((element) => element !== '__proto__', 'any text but "__proto__"');
/** Of each store the newest write that is known. */
const seenSchema = z.record(originSchema, numberSchema);

/**
 * What is known of one key, by rule. Two states of one key are merged to one that holds what both knew, whatever the order
 * and however often (`datasets` of `@skerry/domain`). Without `value` the key was deleted.
 */
export const recordStateSchema = z.discriminatedUnion('rule', [
  z.strictObject({
    rule: z.literal('newest'),
    at: stampSchema,
    by: originSchema,
    value: textSchema.optional(),
  }),
  /** Of each store what it added, and what it took away, in all. */
  z.strictObject({ rule: z.literal('counter'), counts: z.record(originSchema, z.tuple([count, count])) }),
  /** Of each element the writes that added it and that no removal has seen. */
  z.strictObject({
    rule: z.literal('set'),
    seen: seenSchema,
    members: z.record(elementSchema, z.array(z.tuple([originSchema, numberSchema])).min(1)),
  }),
  /** Values that did not know of each other. */
  z.strictObject({
    rule: z.literal('keep-both'),
    seen: seenSchema,
    siblings: z.array(
      z.strictObject({ by: originSchema, write: numberSchema, at: stampSchema, value: textSchema }),
    ),
  }),
  /** The epoch rises when another site becomes the one that writes. */
  z.strictObject({
    rule: z.literal('single-writer'),
    epoch: positiveCount,
    at: stampSchema,
    by: originSchema,
    value: textSchema.optional(),
  }),
]);
export type RecordState = z.infer<typeof recordStateSchema>;

/** A store's newest word on a key. */
export const ownRecordSchema = z.strictObject({
  key: datasetKeySchema,
  /** Which of its writes it was. */
  write: numberSchema,
  state: recordStateSchema,
  /** The whole state, of an encrypted dataset: `state` says then only what is known of it without the key. */
  sealed: sealedStateSchema.optional(),
});
export type OwnRecord = z.infer<typeof ownRecordSchema>;
/** The same as the hub keeps it and gives it on: who wrote it is the hub's word, from the account that it came through. */
export const recordSchema = z.strictObject({ origin: originSchema, ...ownRecordSchema.shape });
export type DatasetRecord = z.infer<typeof recordSchema>;
/** What of a record that was written in another area (`residency.origin`) may be known here: to be read, never to be sent on. */
export const elsewhereRecordSchema = z.strictObject({
  area: jurisdictionSchema,
  origin: originSchema,
  key: datasetKeySchema,
  write: numberSchema,
  state: recordStateSchema,
});
export type ElsewhereRecord = z.infer<typeof elsewhereRecordSchema>;

const datasetRef = { project: nameSchema, name: nameSchema, incarnation: positiveCount };

/** A copy that a site shall have: what an agent needs of a dataset. */
export const copySchema = z.strictObject({
  ...datasetRef,
  generation: positiveCount,
  conflicts: conflictRuleSchema,
  home: nameSchema.optional(),
  /** Of a home that moves, in the place of `home`. */
  holder: holderSchema.optional(),
  ttlMs: millis(1_000, 10 * 365 * 86_400_000).optional(),
  limits: datasetLimitsSchema,
  /** Its values are manifests of objects. */
  objects: copyObjectsSchema.optional(),
  /** Its records leave this node sealed; then also where they may be, for who wraps keys for others. */
  encryption: encryptionSchema.optional(),
  residency: datasetResidencySchema.optional(),
  /** With `residency.origin`: the area that this site is in. What is written here stays there. */
  area: jurisdictionSchema.optional(),
  /** Absent: it does not come back by itself to a hub that has lost it, or was said before at this generation. */
  declared: declaredDatasetSchema.optional(),
});
export type Copy = z.infer<typeof copySchema>;

/** By which a site gives records to others: tokens of a subject. */
const markSchema = z.string().regex(/^\d{1,2}\.[0-9a-f]{8}$/);
/** The other sites with a copy, which a site gives its records to directly, for as long as the server knows the mark. */
export const otherSitesSchema = z.strictObject({
  mark: markSchema,
  sites: z
    .array(z.strictObject({ site: nameSchema, account: z.string().regex(/^[A-Za-z0-9-]{1,64}$/) }))
    .max(LIMITS.givenSites),
});
export type OtherSites = z.infer<typeof otherSitesSchema>;

/**
 * Below: what agents and the hub say of copies. All of it is about one site, which the server puts into the subject; a site
 * learns of no dataset that it may not have, not even the name.
 */

/** What a node holds of a dataset. */
export const heldCopySchema = z.strictObject({
  ...datasetRef,
  generation: positiveCount,
  /** Sequence in `REP` up to which it has everything of this dataset. */
  cursor: count,
  /** The epoch of `REP` in which that was read; absent: not known. */
  streamEpoch: positiveCount.optional(),
  /** Writes of its own that the hub has not acknowledged. */
  unsent: count,
  /** Digest of what it shows, when nothing is unsent. */
  digest: z.string().max(64).optional(),
  /** Who writes in it; absent: the store of the request. A copy that was made anew is another than the one before. */
  store: storeSchema.optional(),
  /** Of a dataset whose home moves: the newest epoch in which this copy writes no more, for good. */
  ended: count.optional(),
  /** Of an encrypted one: keys are waited for, so records up to the cursor may be missing. */
  partial: z.literal(true).optional(),
});
/** Something that a workload asked of a dataset and may not; the same again is counted. */
export const refusedHereSchema = z.strictObject({
  project: nameSchema,
  name: nameSchema,
  ...refusedAccessFields,
});
export type RefusedHere = z.infer<typeof refusedHereSchema>;

/** `rpc.copies`: which copies this node shall have, and how it stands; after each reconnect and every five minutes. */
export const copiesRequestSchema = z.strictObject({
  /** Absent from a node that never had a copy. */
  store: storeSchema.optional(),
  held: z.array(heldCopySchema).max(LIMITS.copiesPerSite),
  /** What was refused to workloads at this node since it said so last. */
  refused: z.array(refusedHereSchema).max(LIMITS.refusalsPerGreeting).optional(),
  /** Only from a node that can seal: others are given no copy of an encrypted dataset. */
  sealing: sealingRequestSchema.optional(),
});
export type CopiesRequest = z.infer<typeof copiesRequestSchema>;
export const copyNewsSchema = z.strictObject({
  copies: z.array(
    z.strictObject({
      copy: copySchema,
      /** Sequence of its newest record. */
      head: count,
      /** The newest of this store's writes that the hub has; absent: not looked at. */
      stored: count.optional(),
      /** What it holds differs from what other sites, or the hub, have at the same place: read everything again. */
      again: z.boolean().optional(),
      /** The epoch of `REP`: what is read from now on is of it. */
      streamEpoch: positiveCount.optional(),
      sealing: sealingNewsSchema.optional(),
      /** Absent: its records go to others by the hub alone. */
      others: otherSitesSchema.optional(),
    }),
  ),
  /** Copies that it has to forget, with `ifSent` only when the hub has every write of it. What is in neither list stays as it is. */
  gone: z.array(z.strictObject({ ...datasetRef, ifSent: z.boolean().optional() })),
  /** What it holds and the hub has never heard of, nor of another of that name: it was restored from an older backup. */
  unknown: z.array(z.strictObject(datasetRef)).optional(),
});
export type CopyNews = z.infer<typeof copyNewsSchema>;

/** `rpc.records`: writes of a store, in their order. */
export const recordsRequestSchema = z.strictObject({
  ...datasetRef,
  store: storeSchema,
  records: z.array(ownRecordSchema).min(1).max(LIMITS.recordsPerMessage),
  /** The newest of this store's writes that the hub has, as the store was told last. A hub that has lost it since takes none. */
  after: count.optional(),
  /** They were given to the other sites by this mark already. */
  given: markSchema.optional(),
});
export type RecordsRequest = z.infer<typeof recordsRequestSchema>;
/** `refused` is for good: what the store does then is for people to see. */
export const recordsAnswerSchema = z.discriminatedUnion('ok', [
  z.strictObject({
    ok: z.literal(true),
    /** They were given by a mark that is over, or by none: to whom and by which from now on; null: to nobody. */
    others: otherSitesSchema.nullable().optional(),
  }),
  z.strictObject({
    ok: z.literal(false),
    code: z.enum(['unavailable', 'ahead', 'refused']),
    retryAfterMs: count,
    reason: z.string().max(300),
    /** It has less than was said of `after`: only up to here. The rest goes up once more. */
    stored: count.optional(),
  }),
]);
export type RecordsAnswer = z.infer<typeof recordsAnswerSchema>;

/** `rpc.give.<mark>.<account>`: a few writes of a store, for another site; they go up as well. Who gives is in the subject. */
export const givenSchema = z.strictObject({
  ...datasetRef,
  store: storeSchema,
  records: z.array(ownRecordSchema).min(1).max(LIMITS.givenRecords),
});
export type Given = z.infer<typeof givenSchema>;

/** `rpc.pull`: what a copy lacks. */
export const pullRequestSchema = z.strictObject({ ...datasetRef, after: count });
export type PullRequest = z.infer<typeof pullRequestSchema>;
/** `ok: false`: this site is not to have it, or not now. */
export const pullAnswerSchema = z.discriminatedUnion('ok', [
  z.strictObject({
    ok: z.literal(true),
    records: z.array(recordSchema),
    elsewhere: z.array(elsewhereRecordSchema).optional(),
    /** Everything up to here is in what was asked for and given. */
    upTo: count,
    more: z.boolean(),
    /** The epoch of `REP`. */
    streamEpoch: positiveCount.optional(),
  }),
  z.strictObject({ ok: z.literal(false), reason: z.string().max(300) }),
]);
export type PullAnswer = z.infer<typeof pullAnswerSchema>;

/** `dl.records`: what is new in a dataset, to each site with a copy. Follows what lay there up to `after`. */
export const deliverySchema = z.strictObject({
  ...datasetRef,
  after: count,
  upTo: count,
  records: z.array(recordSchema).max(LIMITS.recordsPerMessage),
  elsewhere: z.array(elsewhereRecordSchema).max(LIMITS.recordsPerMessage).optional(),
  /** The epoch of `REP`; who reads another asks first where it is. */
  streamEpoch: positiveCount.optional(),
});
export type Delivery = z.infer<typeof deliverySchema>;

/** A record as it lies in stream `REP`. */
export const storedRecordSchema = z.strictObject({
  kind: z.literal('Record'),
  ...datasetRef,
  ...recordSchema.shape,
});
export type StoredRecord = z.infer<typeof storedRecordSchema>;
