import { z } from 'zod';
import { datasetDocumentSchema } from './dataset.js';
import { LIMITS } from './limits.js';
import { issueSchema, errorCodeSchema } from './errors.js';
import { count, instantSchema, nameSchema, positiveCount, requestIdSchema } from './primitives.js';
import { quotaLimitsSchema } from './policy.js';
import { recoveredSchema, warrantSchema } from './recovered.js';
import { nodeRuleSchema, siteDescriptionSchema } from './site.js';
import { workloadDocumentSchema } from './workload.js';

export const roleSchema = z.enum(['admin', 'operator', 'viewer']);
export type Role = z.infer<typeof roleSchema>;

/** Who asks: established by the edge that authenticated them, never taken from the request. */
export const actorSchema = z.strictObject({ subject: z.string().max(128), role: roleSchema });
export type Actor = z.infer<typeof actorSchema>;

/** From now, 1 s to 30 days. */
export const deadlineMsSchema = z
  .number()
  .int()
  .min(1_000)
  .max(30 * 86_400_000);

const workloadRef = { project: nameSchema, name: nameSchema };

/**
 * Of a change that was decided at a site without the hub: it is refused when a workload is of another generation than the site
 * knew, unless by one of the requests that went before it from the same site; or when it is there and was not known at the
 * site.
 */
export const decidedSchema = z.strictObject({
  at: instantSchema,
  /** Ids of the site's own changes to these workloads that went before, the newest. */
  after: z.array(requestIdSchema).max(LIMITS.openSiteChanges),
  /** Keys (`<project>.<name>`) of workloads that the site knew nothing of. */
  unknown: z.array(z.string().max(LIMITS.nameChars * 2 + 1)).max(LIMITS.documentsPerSiteApply),
  /** Generations of the others (by `<project>.<name>`) that the change was decided over. */
  bases: z
    .record(z.string().max(LIMITS.nameChars * 2 + 1), positiveCount)
    .refine((b) => Object.keys(b).length <= LIMITS.documentsPerSiteApply, 'limit documentsPerSiteApply')
    .optional(),
});
export type Decided = z.infer<typeof decidedSchema>;

/** Everything that can be asked of policy, one shape a verb. */
export const commandBodySchema = z.discriminatedUnion('verb', [
  z.strictObject({
    verb: z.literal('workload.apply'),
    documents: z.array(workloadDocumentSchema).max(LIMITS.documentsPerCommand),
    /** Datasets of the same command; one document of either kind at least. */
    datasets: z.array(datasetDocumentSchema).max(LIMITS.documentsPerCommand).optional(),
    /** Refuse unless the (only) workload is at this generation; 0 for "must not exist". */
    ifGeneration: count.optional(),
    decided: decidedSchema.optional(),
  }),
  z.strictObject({
    verb: z.literal('workload.scale'),
    ...workloadRef,
    replicas: z.number().int().min(0).max(LIMITS.replicasPerWorkload),
  }),
  z.strictObject({ verb: z.literal('workload.stop'), ...workloadRef, decided: decidedSchema.optional() }),
  z.strictObject({ verb: z.literal('workload.start'), ...workloadRef, decided: decidedSchema.optional() }),
  z.strictObject({ verb: z.literal('workload.remove'), ...workloadRef }),
  /** A site holds it and the hub does not know it. The warrant says that it was admitted here once, at this generation. */
  z.strictObject({
    verb: z.literal('workload.recover'),
    document: workloadDocumentSchema,
    generation: positiveCount,
    warrant: warrantSchema,
    at: recoveredSchema.shape.from.element,
  }),
  /** Its records go with it, everywhere. */
  z.strictObject({ verb: z.literal('dataset.remove'), ...workloadRef }),
  /** A site has a copy of it and the hub does not know it. The warrant says that it was admitted here once, exactly so. */
  z.strictObject({
    verb: z.literal('dataset.recover'),
    document: datasetDocumentSchema,
    incarnation: positiveCount,
    generation: positiveCount,
    warrant: warrantSchema,
  }),
  z.strictObject({ verb: z.literal('site.add'), site: siteDescriptionSchema }),
  z.strictObject({
    verb: z.literal('site.remove'),
    name: nameSchema,
    /** Do not wait for the site to move its work away and to acknowledge: it is gone for good. */
    force: z.boolean().optional(),
    /** After this nothing stays there, replaced or not. */
    deadlineMs: deadlineMsSchema.optional(),
  }),
  z.strictObject({
    verb: z.literal('site.drain'),
    name: nameSchema,
    kind: z.enum(['drain', 'evacuate']),
    deadlineMs: deadlineMsSchema.optional(),
  }),
  /** Takes a drain, an evacuation or a removal back. */
  z.strictObject({ verb: z.literal('site.recall'), name: nameSchema }),
  /** Without a rule the node is as any other again. */
  z.strictObject({
    verb: z.literal('node.set'),
    site: nameSchema,
    name: nameSchema,
    rule: nodeRuleSchema.exclude(['removed']).optional(),
  }),
  /** For ever: its name is not used again. */
  z.strictObject({ verb: z.literal('node.remove'), site: nameSchema, name: nameSchema }),
  z.strictObject({ verb: z.literal('site.cordon'), name: nameSchema, cordoned: z.boolean() }),
  /** The whole quota: a limit that is left out is none afterwards. */
  z.strictObject({ verb: z.literal('quota.set'), project: nameSchema, limits: quotaLimitsSchema }),
  z.strictObject({ verb: z.literal('quota.remove'), project: nameSchema }),
]);
export type CommandBody = z.infer<typeof commandBodySchema>;
export type CommandVerb = CommandBody['verb'];

/** A command as it lies in stream `CMD`; its message id is the request id. */
export const commandSchema = z.strictObject({
  kind: z.literal('Command'),
  requestId: requestIdSchema,
  actor: actorSchema,
  sentAt: instantSchema,
  body: commandBodySchema,
});
export type Command = z.infer<typeof commandSchema>;

/** What a command did to one object. */
export const changeSchema = z.strictObject({
  noun: z.enum(['workload', 'dataset', 'site', 'quota']),
  project: nameSchema.optional(),
  /** Of a quota, the project that it is for. */
  name: nameSchema,
  change: z.enum(['created', 'updated', 'unchanged', 'removed']),
  generation: positiveCount,
});
export type Change = z.infer<typeof changeSchema>;

/** The answer to a command: bucket `outcomes`, key request id, kept 24 h and replayed to a retry. */
export const outcomeSchema = z.discriminatedUnion('ok', [
  z.strictObject({
    kind: z.literal('Outcome'),
    ok: z.literal(true),
    requestId: requestIdSchema,
    verb: z.string(),
    changes: z.array(changeSchema),
    decidedAt: instantSchema,
    traceId: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal('Outcome'),
    ok: z.literal(false),
    requestId: requestIdSchema,
    verb: z.string(),
    code: errorCodeSchema,
    title: z.string(),
    issues: z.array(issueSchema),
    hint: z.string().optional(),
    decidedAt: instantSchema,
    traceId: z.string().optional(),
  }),
]);
export type CommandOutcome = z.infer<typeof outcomeSchema>;
/** Hours an outcome is kept. */
export const OUTCOME_KEPT_HOURS = 24;
