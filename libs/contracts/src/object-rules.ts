import { z } from 'zod';
import { chunkRefSchema } from './chunk-ref.js';
import { dataKeyIdSchema } from './dataset-sealing.js';
import { LIMITS } from './limits.js';
import { count, digestSchema, nameSchema } from './primitives.js';

const timeSchema = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'a time of day in UTC, such as "08:00"');

/** How much may travel, at which times of the day. */
const bandwidth = {
  /** Each way, of one dataset at one site. 0: nothing travels meanwhile. */
  bytesPerSecond: z.union([
    z.literal(0),
    z.number().int().min(LIMITS.bandwidthMinBytesPerSecond).max(LIMITS.bandwidthMaxBytesPerSecond),
  ]),
  /** Every day from then on and until then, UTC; past midnight when `to` is before `from`. Without both, always. */
  from: timeSchema.optional(),
  to: timeSchema.optional(),
};
export const bandwidthRuleSchema = z.strictObject(bandwidth);
export type BandwidthRule = z.infer<typeof bandwidthRuleSchema>;

const siteBandwidthSchema = z
  .strictObject({
    ...bandwidth,
    /** On the links of these sites; without, of all. */
    sites: z.array(nameSchema).min(1).max(LIMITS.sitesPerHub).optional(),
  })
  .superRefine(({ from, to }, ctx) => {
    if ((from === undefined) !== (to === undefined))
      ctx.addIssue({ code: 'custom', path: [from === undefined ? 'from' : 'to'], message: 'from and to' });
    if (from !== undefined && from === to)
      ctx.addIssue({ code: 'custom', path: ['to'], message: 'another time than from' });
  });

/** `ahead`: a copy has every object as soon as it can; `on-demand`: what is read there. */
const fetchSchema = z.enum(['ahead', 'on-demand']);
const sizes = {
  /** Bytes of all objects together, and of one. A write beyond is refused at the site where it is made. */
  bytes: z
    .number()
    .int()
    .min(1_024)
    .max(LIMITS.objectsBytes)
    .default(4 * 1024 ** 3),
  objectBytes: z.number().int().min(1).max(LIMITS.objectBytes).default(LIMITS.objectBytes),
};

/** Of a dataset with `type: objects`. */
export const datasetObjectsSchema = z.strictObject({
  fetch: fetchSchema.default('ahead'),
  ...sizes,
  /** The first that matches site and time counts; where none does, nothing is held back. */
  bandwidth: z.array(siteBandwidthSchema).max(LIMITS.bandwidthRules).default([]),
});
export type DatasetObjects = z.infer<typeof datasetObjectsSchema>;

/** The same as one site needs to know it. */
export const copyObjectsSchema = z.strictObject({
  fetch: fetchSchema,
  ...sizes,
  bandwidth: z.array(bandwidthRuleSchema).max(LIMITS.bandwidthRules),
});
export type CopyObjects = z.infer<typeof copyObjectsSchema>;

export const contentTypeSchema = z
  .string()
  .min(1)
  .max(LIMITS.contentTypeChars)
  .regex(/^[\x20-\x7e]+$/, 'printable ASCII');

/**
 * An object as it lies in its dataset under its key, as JSON: a record like any other, so that the newest counts. Its bytes are
 * those of its chunks, one after the other; which these are is in lists, which are chunks too (`packList` of `@skerry/domain`).
 */
export const manifestSchema = z.strictObject({
  size: count.max(LIMITS.objectBytes),
  /** Of all its bytes. */
  digest: digestSchema,
  contentType: contentTypeSchema,
  chunks: count.max(LIMITS.chunksPerObject),
  lists: z.array(chunkRefSchema).max(LIMITS.listsPerObject),
  /** Of an encrypted dataset: the key that its chunks are sealed with. Lists then name what is sealed, and say nothing of what is in it. */
  sealedWith: dataKeyIdSchema.optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;
