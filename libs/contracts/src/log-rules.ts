import { z } from 'zod';
import { LIMITS } from './limits.js';
import { millis } from './primitives.js';

/** Where entries of a log go: from the sites to the centre; from the centre to the sites; from every site to every other. */
export const logFlowSchema = z.enum(['collect', 'broadcast', 'mesh']);
export type LogFlow = z.infer<typeof logFlowSchema>;

/** A member of an entry's value, where values are JSON objects; without, the value itself. */
const fieldSchema = z.string().min(1).max(LIMITS.labelChars);

/**
 * What of the entries that are written at a site travels, decided there: one in so many; only a value that differs from the one
 * that travelled last, numbers by more than `deadband`; or for each stretch of time one entry with what its numbers were. `by`
 * names the member that tells one sensor from another: each has its own.
 */
export const edgeRuleSchema = z.discriminatedUnion('keep', [
  z.strictObject({
    keep: z.literal('one-in'),
    n: z.number().int().min(2).max(1_000_000),
    by: fieldSchema.optional(),
  }),
  z.strictObject({
    keep: z.literal('changes'),
    of: fieldSchema.optional(),
    deadband: z.number().min(0).max(Number.MAX_VALUE).optional(),
    by: fieldSchema.optional(),
  }),
  z.strictObject({
    keep: z.literal('windows'),
    everyMs: millis(1_000, 86_400_000),
    of: fieldSchema.optional(),
    by: fieldSchema.optional(),
  }),
]);
export type EdgeRule = z.infer<typeof edgeRuleSchema>;

/** Of a dataset of `type: log`. */
export const logSpecSchema = z.strictObject({
  flow: logFlowSchema.default('collect'),
  edge: edgeRuleSchema.optional(),
});
export type LogSpec = z.infer<typeof logSpecSchema>;
