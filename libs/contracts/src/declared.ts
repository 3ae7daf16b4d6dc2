import { z } from 'zod';
import {
  count,
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

/** Which of the things that people declare it is: what policy keeps of each before its spec. */
export const declaredIdentity = {
  project: nameSchema,
  name: nameSchema,
  labels: labelsSchema,
  /** Rises with each accepted change, over deletions too: a generation is never used twice. */
  generation: positiveCount,
};

/** What policy keeps of it behind its spec: what became of it, and by which command. */
export const declaredHistory = {
  /** Removed: kept as a tombstone, so that the generation goes on and late readers learn of it. */
  removed: z.boolean(),
  createdAt: instantSchema,
  updatedAt: instantSchema,
  /** The request that made this generation. */
  requestId: requestIdSchema,
  /** Sequence of the newest command applied to it: an older one that is delivered again changes nothing. */
  commandSequence: count,
};
