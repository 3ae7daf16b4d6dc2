import { z } from 'zod';
import { nameSchema, positiveCount } from './primitives.js';
import { warrantSchema } from './recovered.js';

/** The most that a site is given of what was declared of a dataset, in characters. What is longer does not come back by itself. */
export const DECLARED_DATASET_CHARS = 16 * 1024;

/** What was declared of a dataset, as a site holds it with its copy: a hub restored from an older backup learns of it from there. */
export const declaredDatasetSchema = z.strictObject({
  /** JSON of `labels` and `spec`, as text: a site has no use for it, and changes nothing in it. */
  rest: z.string().max(DECLARED_DATASET_CHARS),
  warrant: warrantSchema,
});
export type DeclaredDataset = z.infer<typeof declaredDatasetSchema>;

/** A dataset of which a site has a copy, with what was declared of it. */
export const heldDatasetSchema = z.strictObject({
  project: nameSchema,
  name: nameSchema,
  incarnation: positiveCount,
  generation: positiveCount,
  declared: declaredDatasetSchema,
});
export type HeldDataset = z.infer<typeof heldDatasetSchema>;

/** A dataset that a site has a copy of and the hub does not know (`CopyNews.unknown`), sent to `rpc.proposal`. Answered like a local change. */
export const heldDatasetProposalSchema = z.strictObject({ site: nameSchema, dataset: heldDatasetSchema });
export type HeldDatasetProposal = z.infer<typeof heldDatasetProposalSchema>;

/** Whether a message to `rpc.proposal` is one of these. */
export function isHeldDatasetProposal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'dataset' in value;
}
