import { z } from 'zod';
import { chunkRefSchema } from './chunk-ref.js';
import {
  copyPlaceFields,
  datasetNameFields,
  siteAnswerOf,
  siteRequestOf,
  sitesWithoutSchema,
} from './copy-access.js';
import { datasetKeySchema } from './dataset-records.js';
import { LIMITS } from './limits.js';
import { contentTypeSchema } from './object-rules.js';
import { count, digestSchema, instantSchema, nameSchema, positiveCount } from './primitives.js';

/** What crosses of objects: chunks between sites and the hub, and what people ask of a site's objects. */

const datasetRef = { ...datasetNameFields, incarnation: positiveCount };
export const datasetRefSchema = z.strictObject(datasetRef);
export type DatasetRef = z.infer<typeof datasetRefSchema>;

/** Why not. `absent`: the hub has not got it (yet). `refused` is for good, until the rules or what there is change. */
const notNow = z.strictObject({
  ok: z.literal(false),
  code: z.enum(['absent', 'unavailable', 'refused']),
  retryAfterMs: count,
  reason: z.string().max(300),
});
export type ChunkRefusal = z.infer<typeof notNow>;

/** `rpc.chunkask`: which chunks of an object the hub lacks, of the lists and of what they name. */
export const chunkAskSchema = z.strictObject({
  ...datasetRef,
  lists: z.array(chunkRefSchema).max(LIMITS.listsPerObject),
});
export type ChunkAsk = z.infer<typeof chunkAskSchema>;
export const chunkAskAnswerSchema = z.discriminatedUnion('ok', [
  /** Lists first; `more`: ask again when these are there. */
  z.strictObject({
    ok: z.literal(true),
    missing: z.array(chunkRefSchema).max(LIMITS.chunksPerMessage),
    more: z.boolean(),
  }),
  notNow,
]);
export type ChunkAskAnswer = z.infer<typeof chunkAskAnswerSchema>;

/** `rpc.chunkput`: the head of a frame, whose bytes are the chunk. */
export const chunkPutSchema = z.strictObject({
  ...datasetRef,
  digest: chunkRefSchema.shape.digest,
  /** Of an encrypted dataset: it is sealed, or names what is. */
  sealed: z.literal(true).optional(),
});
/** `rpc.chunkget`. */
export const chunkGetSchema = z.strictObject({ ...datasetRef, ...chunkRefSchema.shape });
export type ChunkGet = z.infer<typeof chunkGetSchema>;
/** The answer to both: to `chunkget` the head of a frame, whose bytes are the chunk. */
export const chunkAnswerSchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true) }),
  notNow,
]);
export type ChunkAnswer = z.infer<typeof chunkAnswerSchema>;

/** `dl.chunks`: chunks that a site asked for and the hub has not got; who has them brings them. */
export const chunksWantedSchema = z.strictObject({
  ...datasetRef,
  chunks: z.array(chunkRefSchema).min(1).max(LIMITS.chunksPerMessage),
});
export type ChunksWanted = z.infer<typeof chunksWantedSchema>;

const ref = datasetNameFields;
const pieceSchema = z
  .string()
  .max(Math.ceil(LIMITS.objectPieceBytes / 3) * 4)
  .regex(/^[A-Za-z0-9+/]*={0,2}$/, 'base64');
/** Names an upload in pieces: whoever goes on with one says its name. */
export const uploadSchema = z.string().regex(/^[0-9a-f]{16,64}$/);

/** What people can ask of a site's objects through the api. */
export const objectOperationSchema = z.discriminatedUnion('verb', [
  z.strictObject({
    verb: z.literal('list'),
    ...ref,
    prefix: z.string().max(LIMITS.datasetKeyChars).optional(),
    after: z.string().max(LIMITS.datasetKeyChars).optional(),
    limit: z.number().int().min(1).max(LIMITS.datasetKeysPerPage).default(100),
  }),
  z.strictObject({ verb: z.literal('state'), ...ref, key: datasetKeySchema }),
  /** Bytes from `offset` on. With `digest` of that object alone, so that two pieces are never of two objects. */
  z.strictObject({
    verb: z.literal('read'),
    ...ref,
    key: datasetKeySchema,
    digest: digestSchema.optional(),
    offset: count,
  }),
  /** Where an upload is, and its next bytes; what comes again changes nothing. */
  z.strictObject({
    verb: z.literal('begin'),
    ...ref,
    upload: uploadSchema,
    size: count.max(LIMITS.objectBytes),
  }),
  z.strictObject({
    verb: z.literal('piece'),
    ...ref,
    upload: uploadSchema,
    offset: count,
    bytes: pieceSchema,
  }),
  /** Makes an object of what was uploaded. */
  z.strictObject({
    verb: z.literal('finish'),
    ...ref,
    upload: uploadSchema,
    key: datasetKeySchema,
    digest: digestSchema,
    contentType: contentTypeSchema,
  }),
]);
export type ObjectOperation = z.infer<typeof objectOperationSchema>;

/** An object as a node knows it. */
export const objectEntrySchema = z.strictObject({
  key: z.string(),
  size: count,
  digest: digestSchema,
  contentType: z.string(),
  at: instantSchema.optional(),
  /** How many of its bytes are at this node, and whether it can be read here without the hub. */
  haveBytes: count,
  complete: z.boolean(),
  /** What is read here until it is complete. */
  older: digestSchema.optional(),
});
export type ObjectEntry = z.infer<typeof objectEntrySchema>;

export const objectAnswerSchema = z.union([
  z.strictObject({ objects: z.array(objectEntrySchema), next: z.string().optional() }),
  z.strictObject({ object: objectEntrySchema, site: nameSchema, node: nameSchema }),
  z.strictObject({ object: objectEntrySchema, bytes: pieceSchema }),
  /** The rest of an upload goes to the same site. */
  z.strictObject({ received: count, site: nameSchema }),
]);
export type ObjectAnswer = z.infer<typeof objectAnswerSchema>;

/** `dl.req.object`: api asks a site; it answers on `rpc.answer.<id>`. */
export const siteObjectRequestSchema = siteRequestOf(objectOperationSchema);
export type SiteObjectRequest = z.infer<typeof siteObjectRequestSchema>;
export const siteObjectAnswerSchema = siteAnswerOf(objectAnswerSchema);
export type SiteObjectAnswer = z.infer<typeof siteObjectAnswerSchema>;

/** Where an object is: at each site with a copy of its dataset. */
export const objectWhereSchema = z.strictObject({
  key: z.string(),
  rule: z.string(),
  copies: z.array(
    z.strictObject({
      ...copyPlaceFields,
      object: objectEntrySchema.optional(),
      problem: z.string().optional(),
    }),
  ),
  without: sitesWithoutSchema,
});
export type ObjectWhere = z.infer<typeof objectWhereSchema>;
