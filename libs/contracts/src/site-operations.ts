import { z } from 'zod';
import { logRequestSchema } from './api.js';
import { actorSchema, decidedSchema, outcomeSchema } from './command.js';
import { assignmentSchema } from './desired.js';
import { journalUseSchema } from './journal.js';
import { LIMITS } from './limits.js';
import { observedSchema } from './observed.js';
import { count, instantSchema, nameSchema, requestIdSchema } from './primitives.js';
import { versionSchema } from './version.js';
import { workloadDocumentSchema } from './workload.js';

const workloadRef = { project: nameSchema, name: nameSchema };
const logRequest = logRequestSchema.shape;

/** What can be asked of a site at its own server. */
export const operationSchema = z.discriminatedUnion('verb', [
  z.strictObject({
    verb: z.literal('status'),
    project: nameSchema.optional(),
    /** Key (`<project>.<name>`) after which the page begins. */
    after: z
      .string()
      .max(LIMITS.nameChars * 2 + 1)
      .optional(),
  }),
  z.strictObject({
    verb: z.literal('logs'),
    ...workloadRef,
    id: logRequest.id,
    tail: logRequest.tail,
    follow: z.boolean(),
  }),
  /** The one who follows is still there. */
  z.strictObject({ verb: z.literal('logs-more'), id: logRequest.id }),
  z.strictObject({ verb: z.literal('report') }),
  z.strictObject({ verb: z.literal('stop'), ...workloadRef }),
  z.strictObject({ verb: z.literal('start'), ...workloadRef }),
  z.strictObject({
    verb: z.literal('apply'),
    documents: z.array(workloadDocumentSchema).min(1).max(LIMITS.documentsPerSiteApply),
  }),
]);
export type Operation = z.infer<typeof operationSchema>;
export type SiteChangeVerb = Extract<Operation['verb'], 'stop' | 'start' | 'apply'>;

/**
 * A request of a person at a site: `local.op.request`, heard by the site's own agents and never past its server. `body` is the
 * operation as JSON text, since the signature is over that text, and the hub checks it again when the site is back.
 */
export const operatorRequestSchema = z.strictObject({
  id: requestIdSchema,
  site: nameSchema,
  tokenId: z.string().regex(/^[a-z0-9]{8,32}$/),
  at: instantSchema,
  body: z.string().min(2).max(LIMITS.documentBytes),
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
export type OperatorRequest = z.infer<typeof operatorRequestSchema>;

/** What is signed of a request. */
export function signedText({ id, site, tokenId, at, body }: Omit<OperatorRequest, 'signature'>): string {
  return ['skerry-site-request-v1', id, site, tokenId, at, body].join('\n');
}

/** What became of a local change at the hub. `open`: not decided there yet; `replaced`: a later change here took its place before. */
export const changeStateSchema = z.enum(['open', 'accepted', 'rejected', 'replaced']);
export type ChangeState = z.infer<typeof changeStateSchema>;

/** A local change as the site keeps it until the hub has decided, and after: bucket `overrides` of the site, key `proposal.<id>`. */
export const proposalSchema = z.strictObject({
  kind: z.literal('Proposal'),
  site: nameSchema,
  request: operatorRequestSchema,
  verb: z.enum(['stop', 'start', 'apply']),
  by: actorSchema,
  at: instantSchema,
  /** Workloads that it changes, each with the version it was decided over; none: nothing was wanted here. */
  over: z
    .array(z.strictObject({ ...workloadRef, base: versionSchema.optional() }))
    .min(1)
    .max(LIMITS.documentsPerSiteApply),
  state: changeStateSchema,
  outcome: outcomeSchema.optional(),
  decidedAt: instantSchema.optional(),
  /** Revision of the bucket under which it was added: what its place among the others is told by when it is decided. */
  added: count.optional(),
});
export type Proposal = z.infer<typeof proposalSchema>;

/**
 * What runs at a site in place of what the hub wants there, until the hub wants something newer: bucket `overrides` of the
 * site, key `override.<project>.<name>`, and on the disk of each agent.
 */
export const overrideSchema = z.strictObject({
  kind: z.literal('Override'),
  site: nameSchema,
  ...workloadRef,
  /** Id of the proposal. */
  proposal: requestIdSchema,
  verb: z.enum(['stop', 'start', 'apply']),
  by: z.string().max(128),
  at: instantSchema,
  /** What it stands over; none: nothing was wanted here. */
  base: versionSchema.optional(),
  /** What shall run. Its version is that of `base`. */
  object: assignmentSchema,
  /** Of a stop: the replicas that a start brings back. */
  replicasBefore: count.optional(),
  /** Of what was begun here: the hub has accepted it, and is told that it runs here. */
  known: z.literal(true).optional(),
  /** Of a stop: it runs at other sites too, so that the hub leaves it to this one. */
  alone: z.literal(true).optional(),
});
export type Override = z.infer<typeof overrideSchema>;

/** What a site asks the hub to make a command of: `rpc.proposal`, until it is decided. */
export const proposalRequestSchema = z.strictObject({
  site: nameSchema,
  request: operatorRequestSchema,
  after: decidedSchema.shape.after,
  unknown: decidedSchema.shape.unknown,
  bases: decidedSchema.shape.bases,
});
export type ProposalRequest = z.infer<typeof proposalRequestSchema>;
/** `decided` is the outcome, however often it is asked for within 24 h; `waiting`: ask again. */
export const proposalAnswerSchema = z.discriminatedUnion('state', [
  z.strictObject({
    state: z.literal('decided'),
    outcome: outcomeSchema,
    /** Of a stop or start: the workload runs at other sites too. Nothing was changed at the hub, and it counts here alone. */
    alone: z.literal(true).optional(),
  }),
  z.strictObject({ state: z.literal('waiting'), retryAfterMs: count }),
]);
export type ProposalAnswer = z.infer<typeof proposalAnswerSchema>;

/** The answer to `stop`, `start` and `apply`. */
export const siteChangeAnswerSchema = z.strictObject({
  id: requestIdSchema,
  changes: z.array(z.strictObject({ ...workloadRef, change: z.enum(['changed', 'unchanged']) })),
});
export type SiteChangeAnswer = z.infer<typeof siteChangeAnswerSchema>;

/** One workload as its site sees it. */
export const siteWorkloadSchema = observedSchema
  .pick({
    project: true,
    name: true,
    version: true,
    state: true,
    refusal: true,
    wanted: true,
    replicas: true,
  })
  .extend({ override: overrideSchema.pick({ verb: true, by: true, at: true }).optional() });
export type SiteWorkload = z.infer<typeof siteWorkloadSchema>;

/** The answer to `status`: one page; `next` is there when more follow. */
export const siteStatusPageSchema = z.strictObject({
  site: nameSchema,
  node: nameSchema,
  /** ms since the hub was last heard, as far as this agent knows. */
  hubSilentMs: count,
  cutOff: z.boolean(),
  /** Reports that wait to go up. */
  outboxMessages: count,
  journal: journalUseSchema,
  troubles: z.array(z.string().max(LIMITS.troubleChars)),
  /** Who may act here without the hub is known until then; absent: nobody yet. */
  accessUntil: instantSchema.optional(),
  workloads: z.array(siteWorkloadSchema),
  next: z.string().optional(),
});
export type SiteStatusPage = z.infer<typeof siteStatusPageSchema>;

/** The answer to `logs`: pages (`LogPage`) come to the asker's inbox, and a last one of each of so many nodes. */
export const siteLogsAnswerSchema = z.strictObject({ nodes: count });
export type SiteLogsAnswer = z.infer<typeof siteLogsAnswerSchema>;
