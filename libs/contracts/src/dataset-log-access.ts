import { z } from 'zod';
import { datasetNameFields, siteAnswerOf, siteRequestOf } from './copy-access.js';
import { copyStateSchema } from './dataset-access.js';
import { logItemSchema } from './dataset-log.js';
import { LIMITS } from './limits.js';
import { nameSchema } from './primitives.js';

const ref = datasetNameFields;

/** What can be asked of a log: of a site's by a workload at its agent, of that and of the centre's by people through the api. */
export const logOperationSchema = z.discriminatedUnion('verb', [
  z.strictObject({
    verb: z.literal('append'),
    ...ref,
    values: z.array(z.string()).min(1).max(LIMITS.valuesPerAppend),
  }),
  /** Without `since`, the newest `limit`; with it, what follows, and waits until there is something. */
  z.strictObject({
    verb: z.literal('tail'),
    ...ref,
    since: z.string().max(64).optional(),
    /** What was written from this moment on, ms since 1970, the oldest first. */
    fromMs: z.number().int().min(0).max(8.64e15).optional(),
    /** Only what was written at this site. */
    site: nameSchema.optional(),
    limit: z.number().int().min(1).max(LIMITS.logItemsPerPage).default(100),
    waitMs: z.number().int().min(0).max(LIMITS.watchWaitMs).default(0),
  }),
  z.strictObject({ verb: z.literal('state'), ...ref }),
]);
export type LogOperation = z.infer<typeof logOperationSchema>;
export type TailOperation = Extract<LogOperation, { verb: 'tail' }>;

export const logAnswerSchema = z.union([
  /** How many entries were taken, and how many of them travel at once: the others count in the edge's rule. */
  z.strictObject({ appended: z.number().int(), kept: z.number().int() }),
  /** `since` for the next time; `lost`: what lay between is kept no more. `more`: there is more at once. */
  z.strictObject({
    items: z.array(logItemSchema),
    since: z.string(),
    more: z.boolean(),
    lost: z.boolean().optional(),
  }),
  /** How a node's part stands; its keys are the entries that were written there. */
  z.strictObject({ state: copyStateSchema }),
]);
export type LogAnswer = z.infer<typeof logAnswerSchema>;
export type Tailed = Extract<LogAnswer, { items: unknown }>;

/** `dl.req.log`: api asks a site; the site answers on `rpc.answer.<id>`. */
export const siteLogRequestSchema = siteRequestOf(logOperationSchema);
export type SiteLogRequest = z.infer<typeof siteLogRequestSchema>;
export const siteLogAnswerSchema = siteAnswerOf(logAnswerSchema);
export type SiteLogAnswer = z.infer<typeof siteLogAnswerSchema>;

/** What api asks of the replicator, which has the centre's logs. `id` makes an append safe to ask for again. */
export const centreLogRequestSchema = z.strictObject({
  id: z.string().max(64),
  operation: logOperationSchema,
});
