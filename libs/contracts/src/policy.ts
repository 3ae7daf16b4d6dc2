import { z } from 'zod';
import { count, finite, instantSchema, nameSchema, positiveCount, requestIdSchema } from './primitives.js';

const limits = {
  workloads: count.optional(),
  /** Wanted replicas over all workloads that are not stopped, and what they ask for together. */
  replicas: count.optional(),
  cpuMillicores: count.optional(),
  memoryMiB: count.optional(),
  gpus: count.optional(),
  /** Currency units a month over what is placed of the project: kept by the scheduler as a hard check. */
  budgetPerMonth: finite.min(0).max(1e12).optional(),
};

/** What one project may have at once. An absent limit is none; at least one is wanted. */
export const quotaLimitsSchema = z
  .strictObject(limits)
  .refine(
    (given) => Object.values(given).some((limit) => limit !== undefined),
    'at least one limit; a quota that is not wanted is removed',
  );
export type QuotaLimits = z.infer<typeof quotaLimitsSchema>;

/**
 * The quota of one project: bucket `policies`, key `quota.<project>`. One without any limit was removed: it stays, so that
 * generations go on and the bootstrap file does not bring it back.
 */
export const quotaSchema = z.strictObject({
  kind: z.literal('Quota'),
  project: nameSchema,
  ...limits,
  /** Rises with each change; absent with one that no command has changed yet, which counts as 1. */
  generation: positiveCount.optional(),
  updatedAt: instantSchema.optional(),
  /** Of the command that changed it last, with its sequence in `CMD`. */
  requestId: requestIdSchema.optional(),
  commandSequence: count.optional(),
});
export type Quota = z.infer<typeof quotaSchema>;

const amount = finite.min(0);
/** What a project takes of its quota: what is wanted, placed or not. Sums, named as the limits are. */
export const quotaUseSchema = z.strictObject({
  workloads: count,
  replicas: count,
  cpuMillicores: amount,
  memoryMiB: amount,
  /** A share of a GPU counts as its part of one. */
  gpus: amount,
  /** What is placed of the project costs a month. Policy does not know it and api adds it. */
  budgetPerMonth: amount.optional(),
});
export type QuotaUse = z.infer<typeof quotaUseSchema>;

/** A project's limits and what is used of them. */
export const quotaViewSchema = z.strictObject({
  project: nameSchema,
  /** Empty when the project has no quota. */
  limits: z.strictObject(limits),
  used: quotaUseSchema,
});
export type QuotaView = z.infer<typeof quotaViewSchema>;

/** `RPC.quotas`: one page of the projects that have a quota or workloads, by name; with `project` that one alone, whatever it has. */
export const quotaListRequestSchema = z.strictObject({
  project: nameSchema.optional(),
  /** Project after which the page begins. */
  after: nameSchema.optional(),
});
export type QuotaListRequest = z.infer<typeof quotaListRequestSchema>;
/** At most `LIMITS.quotasPerPage` projects; `next` is there when more follow. */
export const quotaListAnswerSchema = z.strictObject({
  items: z.array(quotaViewSchema),
  next: nameSchema.optional(),
});
export type QuotaListAnswer = z.infer<typeof quotaListAnswerSchema>;
