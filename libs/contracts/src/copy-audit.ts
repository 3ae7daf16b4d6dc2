import { z } from 'zod';
import { datasetWhereSchema } from './dataset-access.js';
import { instantSchema, nameSchema, positiveCount } from './primitives.js';
import { refusedAccessFields } from './refused-access.js';

/** What is kept of one copy: the newest so many, of each. */
export const COPY_AUDIT = { events: 32, refusals: 32 };

/** A site was allowed a copy, or is no more. */
export const copyEventSchema = z.strictObject({
  at: instantSchema,
  what: z.enum(['given', 'taken']),
  incarnation: positiveCount,
  /** The rule that allowed it, or why it is over, as people read it. */
  rule: z.string().max(400),
  /** Where the site was, then. */
  jurisdictions: z.array(z.string()).max(64),
});
export type CopyEvent = z.infer<typeof copyEventSchema>;

/** Something was asked of a dataset that may not be: the same again is counted. */
export const refusedAccessSchema = z.strictObject(refusedAccessFields);
export type RefusedAccess = z.infer<typeof refusedAccessSchema>;

/** What happened to a dataset's copy at one site, and what it was refused: bucket `copy-audit`, key `<project>.<dataset>.<site>`. */
export const copyAuditSchema = z.strictObject({
  kind: z.literal('CopyAudit'),
  project: nameSchema,
  name: nameSchema,
  site: nameSchema,
  events: z.array(copyEventSchema).max(COPY_AUDIT.events),
  refusals: z.array(refusedAccessSchema).max(COPY_AUDIT.refusals),
});
export type CopyAudit = z.infer<typeof copyAuditSchema>;

/** Where copies are, and what is written of them and of what was refused. */
export const datasetProofSchema = z.strictObject({
  where: datasetWhereSchema,
  audit: z.array(copyAuditSchema),
});
export type DatasetProof = z.infer<typeof datasetProofSchema>;
