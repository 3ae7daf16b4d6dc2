import { z } from 'zod';
import { instantSchema, positiveCount } from './primitives.js';

/** What was asked and refused, how often, and when first and last. */
export const refusedAccessFields = {
  /** Such as `read` or `write`. */
  what: z.string().max(32),
  /** Who asked: the site itself, or a workload there. */
  by: z.string().max(200),
  why: z.string().max(300),
  first: instantSchema,
  last: instantSchema,
  count: positiveCount,
};
