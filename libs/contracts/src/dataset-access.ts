import { z } from 'zod';
import {
  copyPlaceFields,
  datasetNameFields,
  siteAnswerOf,
  siteRequestOf,
  sitesWithoutSchema,
} from './copy-access.js';
import { chosenCopySchema } from './copy-set.js';
import { datasetSchema } from './dataset.js';
import { placedHomeSchema } from './dataset-home.js';
import { datasetKeySchema, elementSchema } from './dataset-records.js';
import { LIMITS } from './limits.js';
import { count, instantSchema, nameSchema } from './primitives.js';

const ref = datasetNameFields;
const elementsSchema = z.array(elementSchema).min(1).max(LIMITS.elementsPerWrite);
/** What a reader of `keep-both` had seen; given back with a write, that takes the place of what was seen. */
const contextSchema = z.string().max(16_384);

/** What can be asked of a copy: by a workload at its agent, and by people through the api. */
export const datasetOperationSchema = z.discriminatedUnion('verb', [
  z.strictObject({
    verb: z.literal('list'),
    ...ref,
    prefix: z.string().max(LIMITS.datasetKeyChars).optional(),
    /** The key after which the page begins. */
    after: z.string().max(LIMITS.datasetKeyChars).optional(),
    limit: z.number().int().min(1).max(LIMITS.datasetKeysPerPage).default(100),
    /** Only keys with several values, each with the site that wrote it. An older agent lists all. */
    conflicting: z.boolean().optional(),
    /** Only keys of this range of the digest. An older agent lists all. */
    range: z.number().int().min(0).max(255).optional(),
  }),
  z.strictObject({ verb: z.literal('get'), ...ref, key: datasetKeySchema }),
  z.strictObject({
    verb: z.literal('put'),
    ...ref,
    key: datasetKeySchema,
    value: z.string(),
    context: contextSchema.optional(),
  }),
  z.strictObject({
    verb: z.literal('count'),
    ...ref,
    key: datasetKeySchema,
    by: z.number().int().min(-1e12).max(1e12),
  }),
  z.strictObject({
    verb: z.literal('change'),
    ...ref,
    key: datasetKeySchema,
    add: elementsSchema.optional(),
    remove: elementsSchema.optional(),
  }),
  z.strictObject({
    verb: z.literal('delete'),
    ...ref,
    key: datasetKeySchema,
    context: contextSchema.optional(),
  }),
  /** Changes since; waits until there is one. Without `since`, from now on. */
  z.strictObject({
    verb: z.literal('watch'),
    ...ref,
    since: z.string().max(64).optional(),
    waitMs: z.number().int().min(0).max(LIMITS.watchWaitMs).default(LIMITS.watchWaitMs),
  }),
  /** With `ranges` the digests of the ranges of its keys too. */
  z.strictObject({ verb: z.literal('state'), ...ref, ranges: z.boolean().optional() }),
]);
export type DatasetOperation = z.infer<typeof datasetOperationSchema>;
/** Verbs that only read; any other writes. */
export const DATASET_READS: ReadonlySet<DatasetOperation['verb']> = new Set([
  'list',
  'get',
  'watch',
  'state',
]);

/** What of a key's value in another area may be known. */
const entryElsewhereSchema = z.strictObject({
  area: z.string(),
  value: z.string().optional(),
  values: z.array(z.string()).optional(),
  at: instantSchema.optional(),
});

/** What a key holds: one of value, values, number and elements, by the dataset's rule. */
export const datasetEntrySchema = z.strictObject({
  key: z.string(),
  value: z.string().optional(),
  /** Of `keep-both`: more than one when sites wrote without knowing of each other. */
  values: z.array(z.string()).optional(),
  /** The same with who wrote each, where that was asked for. */
  siblings: z.array(z.strictObject({ site: nameSchema, at: instantSchema, value: z.string() })).optional(),
  number: z.number().int().optional(),
  elements: z.array(z.string()).optional(),
  context: z.string().optional(),
  /** When it was written, by the clock that all sites keep together. */
  at: instantSchema.optional(),
  /** With `residency.origin`: the area whose value it is. Without a value: only other areas have one. */
  area: z.string().optional(),
  /** What may be known here of the values of other areas: to be read only. */
  elsewhere: z.array(entryElsewhereSchema).optional(),
});
export type DatasetEntry = z.infer<typeof datasetEntrySchema>;

/** How a node's copy stands. */
export const copyStateSchema = z.strictObject({
  site: nameSchema,
  node: nameSchema,
  keys: count,
  bytes: count,
  digest: z.string(),
  /** Where it is in the hub's stream, and how many of its own writes the hub has not got. */
  cursor: count,
  unsent: count,
  /** Since when the oldest of them waits, to a second. */
  unsentSince: instantSchema.optional(),
  /** 256 digests of the keys by range, where they were asked for. */
  ranges: z.array(z.string().max(16)).max(256).optional(),
  /** Since when this copy is there. */
  since: instantSchema,
  trouble: z.string().optional(),
});
export type CopyState = z.infer<typeof copyStateSchema>;

/** The answer to an operation, by its verb. */
export const datasetAnswerSchema = z.union([
  z.strictObject({ entries: z.array(datasetEntrySchema), next: z.string().optional() }),
  z.strictObject({ entry: datasetEntrySchema }),
  /** `lost`: more happened than is kept; read all again. */
  z.strictObject({
    changes: z.array(z.strictObject({ key: z.string(), entry: datasetEntrySchema.optional() })),
    since: z.string(),
    lost: z.boolean().optional(),
  }),
  z.strictObject({ state: copyStateSchema }),
]);
export type DatasetAnswer = z.infer<typeof datasetAnswerSchema>;

/** `dl.req.dataset`: api asks a site; the site answers on `rpc.answer.<id>`. */
export const siteDatasetRequestSchema = siteRequestOf(datasetOperationSchema);
export type SiteDatasetRequest = z.infer<typeof siteDatasetRequestSchema>;
export const siteDatasetAnswerSchema = siteAnswerOf(datasetAnswerSchema);
export type SiteDatasetAnswer = z.infer<typeof siteDatasetAnswerSchema>;

/** Where the copies of a dataset are, and by which rule. */
export const datasetWhereSchema = z.strictObject({
  dataset: datasetSchema,
  /** The rule in words. */
  rule: z.string(),
  copies: z.array(
    z.strictObject({
      ...copyPlaceFields,
      /** Where copies are chosen: why this one was. */
      chosen: chosenCopySchema.optional(),
      /** Absent: the site does not answer, or has not got it yet. */
      state: copyStateSchema.optional(),
      problem: z.string().optional(),
    }),
  ),
  without: sitesWithoutSchema,
  /** Of a home that moves: where it is. Absent: nowhere yet. */
  homeNow: placedHomeSchema.optional(),
});
export type DatasetWhere = z.infer<typeof datasetWhereSchema>;

/** `RPC.behind`, answered by the active replicator: how much of a dataset lies at the hub behind each of these places. */
export const behindRequestSchema = z.strictObject({
  ...ref,
  after: z.array(count).max(LIMITS.sitesPerHub),
});
export type BehindRequest = z.infer<typeof behindRequestSchema>;
export const behindAnswerSchema = z.strictObject({
  /** Sequence of the dataset's newest record. */
  head: count,
  /** `since`: when the first of these records came to the hub. */
  places: z.array(z.strictObject({ after: count, records: count, since: instantSchema.optional() })),
});
export type BehindAnswer = z.infer<typeof behindAnswerSchema>;

/** How far each copy of a dataset is behind the hub, and the hub behind it. */
export const datasetLagSchema = z.strictObject({
  dataset: z.strictObject(ref),
  head: count,
  sites: z.array(
    z.strictObject({
      site: nameSchema,
      /** Records that the hub has and the copy has not, and for how long the hub has had the first of them. */
      records: count.optional(),
      behindMs: count.optional(),
      /** Writes of the site that the hub has not got, and for how long the oldest waits. */
      unsent: count.optional(),
      unsentMs: count.optional(),
      /** Why nothing is known of it, or what is wrong with it. */
      problem: z.string().optional(),
    }),
  ),
});
export type DatasetLag = z.infer<typeof datasetLagSchema>;

/** Every dataset that is not removed; of a home that moves where it is. */
export const datasetListSchema = z.array(datasetSchema.extend({ homeNow: placedHomeSchema.optional() }));
export type DatasetList = z.infer<typeof datasetListSchema>;
