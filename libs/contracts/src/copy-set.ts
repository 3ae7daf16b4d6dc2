import { z } from 'zod';
import { instantSchema, nameSchema, positiveCount } from './primitives.js';

/** A copy that was chosen. */
export const chosenCopySchema = z.strictObject({
  site: nameSchema,
  /** Since when it is wanted there. */
  since: instantSchema,
  /** What it is there for, as people read it. */
  why: z.string().max(200),
  /** Since when nothing there uses it. */
  unusedSince: instantSchema.optional(),
  /** The site has said that it had everything at some moment: only then it counts as one of those that must not become fewer. */
  whole: z.boolean(),
  /** It was there when a restored hub learned of the dataset again: it may hold what no other copy and no record does, and stays. */
  found: z.literal(true).optional(),
});
export type ChosenCopy = z.infer<typeof chosenCopySchema>;

/** Which sites have a copy of a dataset whose copies are Skerry's to choose: the noun of bucket `copies`, key `<project>.<name>`. */
export const copySetSchema = z.strictObject({
  kind: z.literal('CopySet'),
  project: nameSchema,
  name: nameSchema,
  incarnation: positiveCount,
  /** By name of the site. */
  copies: z.array(chosenCopySchema),
  updatedAt: instantSchema,
});
export type CopySet = z.infer<typeof copySetSchema>;
