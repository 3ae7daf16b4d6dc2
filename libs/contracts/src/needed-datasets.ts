import { z } from 'zod';
import { conflictRuleSchema, copiesSchema, datasetResidencySchema } from './dataset.js';
import { homeSchema } from './dataset-home.js';
import { LIMITS } from './limits.js';
import { nameSchema } from './primitives.js';

const accessSchema = z.enum(['read', 'write']);

/**
 * A dataset of its project that a workload uses. Its replicas run only where a copy is or may be brought, and begin when that
 * copy is caught up. With `read` they are refused writes to it.
 */
export const datasetUseSchema = z.strictObject({
  dataset: nameSchema,
  access: accessSchema.default('read'),
});
export type DatasetUse = z.infer<typeof datasetUseSchema>;

/** Every dataset once. */
export const datasetUsesSchema = z
  .array(datasetUseSchema)
  .min(1)
  .max(LIMITS.datasetsPerWorkload)
  .refine((uses) => new Set(uses.map((u) => u.dataset)).size === uses.length, 'each dataset once');

/** A dataset that a workload needs, as a decision on where it runs sees it. */
export const neededDatasetSchema = z.strictObject({
  dataset: nameSchema,
  access: accessSchema,
  /** Which sites may have a copy. Absent: nothing is known of such a dataset, or it was removed. */
  rule: z
    .strictObject({
      conflicts: conflictRuleSchema,
      home: homeSchema.optional(),
      copies: copiesSchema,
      residency: datasetResidencySchema.optional(),
    })
    .optional(),
  /** Sites that hold a copy now, where that is Skerry's to choose. Absent: every site that may have one has it. */
  at: z.array(nameSchema).optional(),
});
export type NeededDataset = z.infer<typeof neededDatasetSchema>;
