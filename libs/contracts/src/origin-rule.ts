import { z } from 'zod';
import { jurisdictionSchema } from './primitives.js';

const FIELD_CHARS = 128;
const isUnique = (names: readonly string[]) => new Set(names).size === names.length;

/** A top-level field of a JSON value. */
const fieldSchema = z.string().min(1).max(FIELD_CHARS);

/**
 * Each record stays in the area where it was written. The area of a record is that of the site whose account it came through; a
 * site that is in none of them, or in more than one, has no copy.
 */
export const originRuleSchema = z.strictObject({
  among: z.array(jurisdictionSchema).min(2).max(16).refine(isUnique, 'each area once'),
  /**
   * What sites of the other areas get: nothing, or of each value that is a JSON object the fields that are named here, with its
   * key, who wrote it and when. A value that is none, or has none of them, stays where it is.
   */
  elsewhere: z
    .union([
      z.literal('nothing'),
      z.strictObject({ keep: z.array(fieldSchema).min(1).max(64).refine(isUnique, 'each field once') }),
    ])
    .default('nothing'),
});
export type OriginRule = z.infer<typeof originRuleSchema>;
