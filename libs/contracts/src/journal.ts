import { z } from 'zod';
import { LIMITS } from './limits.js';
import { count, instantSchema, nameSchema, positiveCount, requestIdSchema } from './primitives.js';

/**
 * What an entry of a site's journal is. `audit`: what a person did there, written before it takes effect; `state`: what
 * changed at the site for good. Both are never dropped. `event`: the rest, of which the oldest goes when there is no room.
 */
export const journalClassSchema = z.enum(['audit', 'state', 'event']);
export type JournalClass = z.infer<typeof journalClassSchema>;

/** What happened. */
export const journalWhatSchema = z.enum([
  'agent-started',
  'cut-off',
  'returned',
  'settled',
  'operation',
  'change-decided',
  'change-superseded',
  'node-lost',
  'node-back',
  'replicas',
  'refused-request',
]);

/** One thing that happened at a site: stream `JOURNAL` or `EVENTS` of the site, and `SITELOG` of the hub. */
export const journalEntrySchema = z.strictObject({
  kind: z.literal('JournalEntry'),
  /** 128 random bits: an entry that comes twice counts once. */
  id: z.string().regex(/^[A-Za-z0-9_-]{16,64}$/),
  site: nameSchema,
  node: nameSchema,
  at: instantSchema,
  class: journalClassSchema,
  what: journalWhatSchema,
  project: nameSchema.optional(),
  name: nameSchema.optional(),
  /** Who did it, and the id of the request. */
  by: z.string().max(128).optional(),
  requestId: requestIdSchema.optional(),
  /** What became of a change: `accepted` or `rejected`. */
  outcome: z.string().max(32).optional(),
  text: z.string().max(LIMITS.journalTextChars).optional(),
  /** Numbers that go with it, such as `restarts` or `kept`. */
  counts: z
    .record(z.string().max(32), count)
    .refine((c) => Object.keys(c).length <= LIMITS.countsPerJournalEntry, 'limit countsPerJournalEntry')
    .optional(),
});
export type JournalEntry = z.infer<typeof journalEntrySchema>;

/** Entries on their way to the hub, oldest first, events apart from the rest: `up.journal.…`, and one message of `SITELOG`. */
export const journalBatchSchema = z.strictObject({
  kind: z.literal('JournalBatch'),
  site: nameSchema,
  entries: z.array(journalEntrySchema).min(1).max(LIMITS.entriesPerJournalBatch),
});
export type JournalBatch = z.infer<typeof journalBatchSchema>;

/** What the journal takes of its room. */
export const journalUseSchema = z.strictObject({
  /** Audit and state entries. */
  entries: count,
  bytes: count,
  limitBytes: positiveCount,
  events: count,
  eventBytes: count,
  eventLimitBytes: positiveCount,
  /** Entries that were never written since this agent started: events, and what changed while its server took nothing for long. */
  lost: count.optional(),
});
export type JournalUse = z.infer<typeof journalUseSchema>;

const workloadCounts = z.strictObject({
  project: nameSchema,
  name: nameSchema,
  restarts: count,
  ended: count,
});

/** One time that a site was without the hub; without `to` it still is. */
export const absenceSchema = z.strictObject({
  from: instantSchema,
  to: instantSchema.optional(),
  /** Starts of its agents meanwhile. */
  agentStarts: count,
  /** What ended and was started again meanwhile, by workload; the 100 with the most. */
  workloads: z.array(workloadCounts).max(100),
  nodesLost: z
    .array(z.strictObject({ node: nameSchema, at: instantSchema, back: instantSchema.optional() }))
    .max(100),
  /** Of the replicas that ran when the hub was heard again, and some seconds later. */
  replicas: z.strictObject({ kept: count, started: count, drained: count }).optional(),
  /** Entries that were written meanwhile. */
  entries: count,
});
export type Absence = z.infer<typeof absenceSchema>;

/** A change that was made at the site and what became of it. */
export const siteChangeSchema = z.strictObject({
  requestId: requestIdSchema,
  at: instantSchema,
  by: z.string().max(128),
  what: z.string().max(LIMITS.journalTextChars),
  state: z.enum(['open', 'accepted', 'rejected', 'replaced', 'superseded']),
  reason: z.string().max(LIMITS.journalTextChars).optional(),
});
export type SiteChange = z.infer<typeof siteChangeSchema>;

/** What happened at a site, of what its journal still holds: `skerry site report`. Newest first. */
export const siteReportSchema = z.strictObject({
  kind: z.literal('SiteReport'),
  site: nameSchema,
  madeAt: instantSchema,
  /** `site`: by its own agent, from its own journal; `hub`: from what came up. */
  from: z.enum(['site', 'hub']),
  /** The oldest entry that it is made of. */
  since: instantSchema.optional(),
  entries: count,
  absences: z.array(absenceSchema).max(LIMITS.absencesPerReport),
  changes: z.array(siteChangeSchema).max(LIMITS.changesPerReport),
});
export type SiteReport = z.infer<typeof siteReportSchema>;
