import { z } from 'zod';
import { LIMITS } from './limits.js';
import {
  count,
  digestSchema,
  finite,
  instantSchema,
  nameSchema,
  positiveCount,
  requestIdSchema,
} from './primitives.js';
import { versionSchema, type Version } from './version.js';

/** One check of one site: the value it has and the value it needs, in words and numbers an operator reads. */
export const checkResultSchema = z.strictObject({
  check: z.string().max(63),
  ok: z.boolean(),
  has: z.string().max(300),
  needs: z.string().max(300),
  /** The least change that would make it fit, when one is known. */
  remedy: z.string().max(300).optional(),
});
export type CheckResult = z.infer<typeof checkResultSchema>;

/** One term of the objective at one site or over the whole choice: its number, unit and weight. */
export const termSchema = z.strictObject({
  term: z.string().max(63),
  value: finite,
  unit: z.string().max(32),
  cost: finite,
});
export type Term = z.infer<typeof termSchema>;

/** What is said of a site in an explanation: every check, every term, its rank among the feasible (1 is best). */
export const siteExplanationSchema = z.strictObject({
  site: nameSchema,
  chosen: count,
  feasible: z.boolean(),
  rank: positiveCount.optional(),
  checks: z.array(checkResultSchema),
  terms: z.array(termSchema),
});
export type SiteExplanation = z.infer<typeof siteExplanationSchema>;

/** A site's share of a decision. */
export const shareSchema = z.strictObject({
  site: nameSchema,
  replicas: positiveCount,
  /** Of the placement that gave the site these replicas; absent: this one. What the site was told then still holds. */
  revision: count.optional(),
  /** Why this site, in about five words: "nearest to 58% of users". */
  why: z.string().max(120),
  /** Share of the demand that this site serves, 0 to 1. */
  demandShare: finite.min(0).max(1),
  /** Mean round trip of the users it serves, and whether every part of it was measured. */
  latencyMs: finite.min(0),
  measured: z.boolean(),
  costPerMonth: finite.min(0),
  /**
   * Not wanted here any more. `replaced`: kept until what replaces it is healthy. `returned`: the site is silent and what ran
   * there is placed elsewhere; what the site is told stays as it was until it is heard and is known to be healthy or not.
   */
  until: z.enum(['replaced', 'returned']).optional(),
  /** With `until`: how many of `replicas` are not wanted here any more; absent means all of them. */
  surplus: positiveCount.optional(),
  /** With `until`: when it goes though nothing that replaces it is healthy (the last copy stays), or though the site did not return. */
  deadline: instantSchema.optional(),
});
export type Share = z.infer<typeof shareSchema>;

/**
 * A decision: the noun of bucket `placements`, key `<project>.<name>`. What is stored is the choice with its numbers and
 * digests of its inputs; the explanation of every site is recomputed from the inputs on demand.
 */
export const placementSchema = z.strictObject({
  kind: z.literal('Placement'),
  project: nameSchema,
  name: nameSchema,
  version: versionSchema,
  specDigest: digestSchema,
  /** `partial`: fewer replicas than wanted could be placed. `removed`: nothing is wanted any more. */
  state: z.enum(['placed', 'partial', 'unplaceable', 'stopped', 'removed']),
  wanted: count,
  shares: z.array(shareSchema).max(LIMITS.sitesPerHub),
  latencyMs: finite.min(0).optional(),
  costPerMonth: finite.min(0),
  objective: finite,
  runnerUp: z.strictObject({ site: nameSchema, insteadOf: nameSchema, worseBy: finite }).optional(),
  /** How many sites failed which check. */
  failedChecks: z.record(z.string(), positiveCount),
  /** Some of the sites that failed, each with its first failed check. */
  rejected: z
    .array(z.strictObject({ site: nameSchema, failed: checkResultSchema }))
    .max(LIMITS.rejectedSitesPerDecision),
  /** Replicas of workloads of lower priority that gave way to this one. */
  preempted: z
    .array(
      z.strictObject({ project: nameSchema, name: nameSchema, site: nameSchema, replicas: positiveCount }),
    )
    .optional(),
  /** Of a singleton: sites where it has to end before it begins elsewhere. */
  after: z.array(nameSchema).max(LIMITS.sitesPerHub).optional(),
  /** With a share that waits for its site to return: how many were wanted where before. */
  origin: z
    .array(z.strictObject({ site: nameSchema, replicas: positiveCount }))
    .max(LIMITS.sitesPerHub)
    .optional(),
  /** Of a singleton: who may own it. `epoch` rises whenever that is another site; `losses` is that site's at the decision. */
  owner: z.strictObject({ site: nameSchema, epoch: positiveCount, losses: count }).optional(),
  engine: z.strictObject({ name: z.string(), version: z.string() }),
  seed: count,
  inputs: z.strictObject({
    workload: digestSchema,
    sites: digestSchema,
    /** Where in bucket `decisions` they are kept, `<epoch>.<batch>.<entry>`. */
    log: z
      .string()
      .regex(/^\d{1,15}\.\d{1,15}\.\d{1,6}$/)
      .optional(),
  }),
  decidedAt: instantSchema,
  /** Sequence of the epoch message the commit was conditional on: who may write. */
  epoch: positiveCount,
  requestId: requestIdSchema,
});
export type Placement = z.infer<typeof placementSchema>;

/** Who may write placements: under `EPOCH_KEY` of the same bucket; its sequence is what every commit is conditional on. */
export const epochSchema = z.strictObject({
  kind: z.literal('Epoch'),
  instance: z.string(),
  at: instantSchema,
  /** The hub's term, raised by each restore: whoever decides next does so in this one or a higher one. Absent: 1. */
  term: positiveCount.optional(),
});
/** What lies in bucket `placements`: a decision for each workload, and who may write them. */
export const placementsValueSchema = z.discriminatedUnion('kind', [placementSchema, epochSchema]);
export type PlacementsValue = z.infer<typeof placementsValueSchema>;

/** The version of what a site is told: that of the placement which last changed its share. */
export function shareVersion(
  { version }: Pick<Placement, 'version'>,
  share: Pick<Share, 'revision'>,
): Version {
  return share.revision === undefined ? version : { ...version, revision: share.revision };
}
