import { z } from 'zod';
import { neededDatasetSchema } from './needed-datasets.js';
import { checkResultSchema, placementSchema } from './placement.js';
import { count, digestSchema, finite, nameSchema, positiveCount } from './primitives.js';
import { siteSchema, siteStateSchema } from './site.js';
import { resourcesSchema, workloadSchema } from './workload.js';

/**
 * The decision log: bucket `decisions`, one value for each batch of what happened in the active scheduler, in order. With the
 * snapshot that it names (bucket `inputs`) every decision can be made again from what it was made of.
 */

const replicasAtSchema = z.strictObject({ site: nameSchema, replicas: positiveCount });
/** Key of a workload in every bucket, `<project>.<name>`. */
const keySchema = z.string().max(127);

/** A site as decisions see it from now on; neither `site` nor `state`: it is gone. */
const siteEntrySchema = z.strictObject({
  kind: z.literal('site'),
  name: nameSchema,
  site: siteSchema.optional(),
  state: siteStateSchema.optional(),
});
/** What a workload holds from now on, other than by a decision of this instance. */
const heldEntrySchema = z.strictObject({
  kind: z.literal('held'),
  key: keySchema,
  /** Absent with no shares. */
  need: resourcesSchema.optional(),
  priority: count.optional(),
  shares: z.array(replicasAtSchema),
});
/** A decision as it was committed, and what it was made of beside sites and ledger. */
const decidedEntrySchema = z.strictObject({
  kind: z.literal('decided'),
  placement: placementSchema,
  need: resourcesSchema,
  /** Of the workload; 0 when absent. */
  priority: count.optional(),
  /** Here, or where it was put by an earlier decision: `<epoch>.<batch>.<entry>`. */
  workload: z.union([workloadSchema, z.string().max(64)]),
  /** What was placed before. */
  previous: placementSchema.optional(),
  refusals: z.record(nameSchema, checkResultSchema),
  /** Healthy replicas by site, where it mattered. */
  healthy: z.record(nameSchema, count).optional(),
  projectBudgetLeft: finite.optional(),
  /** The datasets that it needs, as they were. */
  data: z.array(neededDatasetSchema).optional(),
  /** Milliseconds since the epoch. */
  now: count,
  /** Where the decision before this one is kept. */
  before: z.string().max(64).optional(),
  /** Where it was to go, when that was not chosen but given: a rebalance weighs all workloads against each other. */
  given: z.array(replicasAtSchema).optional(),
});
export const historyEntrySchema = z.discriminatedUnion('kind', [
  siteEntrySchema,
  heldEntrySchema,
  decidedEntrySchema,
]);
export type HistoryEntry = z.infer<typeof historyEntrySchema>;
export type DecidedEntry = z.infer<typeof decidedEntrySchema>;

/** Key `<epoch>.<batch>`: entries in the order in which they happened. Batches of an epoch are numbered from 1 without gap. */
export const decisionBatchSchema = z.strictObject({
  kind: z.literal('DecisionBatch'),
  epoch: positiveCount,
  batch: positiveCount,
  /** The newest snapshot there is: of what held before batch `before`. */
  snapshot: z.strictObject({ before: positiveCount, root: digestSchema }).optional(),
  entries: z.array(historyEntrySchema),
});
export type DecisionBatch = z.infer<typeof decisionBatchSchema>;

/** What a workload holds at one site, with the bins of the ledger that it lies in. */
export const heldPartSchema = z.strictObject({
  key: keySchema,
  need: resourcesSchema,
  replicas: count,
  priority: count.optional(),
  /** On which nodes and GPUs of the site's digest, as the ledger has it. */
  packed: z.array(z.number().int()),
});
/** A node of the tree of a snapshot: the root names chunks of 64 sites each, a chunk names sites, a site is whole. */
export const historyBlobSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('SnapshotRoot'), chunks: z.array(digestSchema) }),
  z.strictObject({ kind: z.literal('SnapshotChunk'), sites: z.array(digestSchema).max(64) }),
  z.strictObject({
    kind: z.literal('SnapshotSite'),
    name: nameSchema,
    site: siteSchema.optional(),
    state: siteStateSchema.optional(),
    /** Of a site that holds more than fits one message, what else it holds: in further parts from 1 on, without `site` and `state`. */
    part: positiveCount.optional(),
    held: z.array(heldPartSchema),
  }),
]);
export type HistoryBlob = z.infer<typeof historyBlobSchema>;
export type SnapshotSite = Extract<HistoryBlob, { kind: 'SnapshotSite' }>;
