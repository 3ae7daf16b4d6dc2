import { z } from 'zod';
import {
  count,
  digestSchema,
  instantSchema,
  labelsSchema,
  nameSchema,
  positiveCount,
  requestIdSchema,
} from './primitives.js';

/** `metadata` of every document that people write. */
export const documentMetadataSchema = z.strictObject({
  name: nameSchema,
  project: nameSchema.default('default'),
  labels: labelsSchema.default({}),
});

/** What policy keeps of everything that people declare, beside its kind and its spec. */
export const declaredFields = {
  project: nameSchema,
  name: nameSchema,
  labels: labelsSchema,
  /** Rises with each accepted change, over deletions too: a generation is never used twice. */
  generation: positiveCount,
  specDigest: digestSchema,
  /** Removed: kept as a tombstone, so that the generation goes on and late readers learn of it. */
  removed: z.boolean(),
  createdAt: instantSchema,
  updatedAt: instantSchema,
  /** The request that made this generation. */
  requestId: requestIdSchema,
  /** Sequence of the newest command applied to it: an older one that is delivered again changes nothing. */
  commandSequence: count,
};
