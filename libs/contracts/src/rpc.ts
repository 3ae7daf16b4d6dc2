import { z } from 'zod';
import { planIdSchema, planItemSchema, whyQuerySchema } from './api.js';
import { actorSchema } from './command.js';
import { datasetDocumentSchema, datasetSchema } from './dataset.js';
import { LIMITS } from './limits.js';
import { count, instantSchema, nameSchema, requestIdSchema } from './primitives.js';
import { statusSchema } from './status.js';
import { workloadDocumentSchema, workloadSchema } from './workload.js';

/**
 * Bodies of the requests between apps that are named in `RPC`. A refusal travels as the bus's error answer and
 * arrives as a `Refusal`; what is here is the answer when it went well. `RPC.why` answers a `Why`, `RPC.plan`, `RPC.whatIf`
 * and `RPC.move` a `Plan`, `RPC.status` a `Status`, `RPC.join` and `RPC.renew` a `JoinAnswer`.
 */

/** `RPC.admit`: what an apply of these documents would be now. Policy decides as for a command and commits nothing. */
export const admitRequestSchema = z.strictObject({
  actor: actorSchema,
  documents: z.array(workloadDocumentSchema).max(LIMITS.documentsPerCommand),
  datasets: z.array(datasetDocumentSchema).max(LIMITS.documentsPerCommand).optional(),
});
export type AdmitRequest = z.infer<typeof admitRequestSchema>;

/** One workload as it would be admitted, with the generation it would get. */
export const admittedSchema = z.strictObject({
  change: planItemSchema.shape.change,
  workload: workloadSchema,
});
/** One dataset as it would be admitted. */
export const admittedDatasetSchema = z.strictObject({
  change: planItemSchema.shape.change,
  dataset: datasetSchema,
});
/** `datasets` is there when datasets were asked for. */
export const admitAnswerSchema = z.strictObject({
  items: z.array(admittedSchema),
  datasets: z.array(admittedDatasetSchema).optional(),
});
export type AdmitAnswer = z.infer<typeof admitAnswerSchema>;

/** `RPC.plan`: decide for these workloads one after the other, as an apply would with these datasets there, and commit nothing. */
export const planRequestSchema = z.strictObject({
  items: z.array(admittedSchema).max(LIMITS.documentsPerCommand),
  datasets: z.array(admittedDatasetSchema).max(LIMITS.documentsPerCommand).optional(),
});
export type PlanRequest = z.infer<typeof planRequestSchema>;

/** `RPC.why` and `RPC.status`: one workload; `not-found` when it has no placement or status. */
export const workloadRefSchema = z.strictObject({ project: nameSchema, name: nameSchema });
export type WorkloadRef = z.infer<typeof workloadRefSchema>;

/** `RPC.why`: of which decision, and of which site. */
export const whyRequestSchema = z.strictObject({ ...workloadRefSchema.shape, ...whyQuerySchema.shape });
export type WhyRequest = z.infer<typeof whyRequestSchema>;

/** `RPC.move`: make the moves of a rebalance whose plan has this id, or refuse with `conflict` when deciding again gives another. */
export const moveRequestSchema = z.strictObject({
  id: planIdSchema,
  /** Replicas that may move at most, as in the plan's scenario. */
  maxMoves: count,
  requestId: requestIdSchema,
});
export type MoveRequest = z.infer<typeof moveRequestSchema>;

/** `RPC.statusList`: one page of the read model, in the order of the keys. */
export const statusListRequestSchema = z.strictObject({
  project: nameSchema.optional(),
  /** Key (`<project>.<name>`) after which the page begins. */
  after: z
    .string()
    .max(LIMITS.nameChars * 2 + 1)
    .optional(),
});
export type StatusListRequest = z.infer<typeof statusListRequestSchema>;
/** A page ends before it would exceed `LIMITS.statusPageBytes`; `next` is there when more follow. */
export const statusListAnswerSchema = z.strictObject({
  items: z.array(statusSchema),
  next: z.string().optional(),
});
export type StatusListAnswer = z.infer<typeof statusListAnswerSchema>;

/** `RPC.joinTicket`: a single-use token for a pending site; replaces an earlier one that was not used. */
export const joinTicketRequestSchema = z.strictObject({ actor: actorSchema, site: nameSchema });
export type JoinTicketRequest = z.infer<typeof joinTicketRequestSchema>;
export const joinTicketAnswerSchema = z.strictObject({ token: z.string(), expiresAt: instantSchema });
export type JoinTicketAnswer = z.infer<typeof joinTicketAnswerSchema>;

/** `RPC.redeliver(app)`: handle a dead letter again; the dead letter goes when it was handled. */
export const redeliverRequestSchema = z.strictObject({ id: count });
export type RedeliverRequest = z.infer<typeof redeliverRequestSchema>;
export const redeliverAnswerSchema = z.strictObject({
  result: z.enum(['done', 'retry', 'reject']),
  reason: z.string().optional(),
});
export type RedeliverAnswer = z.infer<typeof redeliverAnswerSchema>;

const accountSchema = z.string().regex(/^A[A-Z2-7]{55}$/);

/** `RPC.cutOff`: a site sends far more than its quota; policy suspends its account for `forMs` and lets it in again by itself. */
export const cutOffRequestSchema = z.strictObject({
  site: nameSchema,
  account: accountSchema,
  forMs: z.number().int().min(1_000).max(3_600_000),
  reason: z.string().max(300),
});
export type CutOffRequest = z.infer<typeof cutOffRequestSchema>;
export const cutOffAnswerSchema = z.strictObject({ suspendedUntil: instantSchema });
export type CutOffAnswer = z.infer<typeof cutOffAnswerSchema>;

/** `RPC.retired`: the site with this account has stopped everything and says so for the last time. */
export const retiredRequestSchema = z.strictObject({ site: nameSchema, account: accountSchema });
export type RetiredRequest = z.infer<typeof retiredRequestSchema>;
export const retiredAnswerSchema = z.strictObject({ ok: z.literal(true) });
export type RetiredAnswer = z.infer<typeof retiredAnswerSchema>;

/** `RPC.hub`: what a server of the hub says of its own health. Not `ok` with a full disk: it then stores nothing until it is restarted. */
export const hubHealthRequestSchema = z.strictObject({});
export const hubHealthSchema = z.strictObject({
  server: z.string().max(255),
  ok: z.boolean(),
  detail: z.string().max(500),
});
export type HubHealth = z.infer<typeof hubHealthSchema>;

/**
 * What the intake says to a report of a site. `ok`: it is stored, the outbox may forget it. `throttled` and
 * `unavailable`: send the same again after `retryAfterMs`. `refused`: it will never be taken; drop it and say so.
 */
export const intakeAnswerSchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true) }),
  z.strictObject({
    ok: z.literal(false),
    code: z.enum(['throttled', 'unavailable', 'refused']),
    retryAfterMs: count,
    reason: z.string().max(300).optional(),
  }),
]);
export type IntakeAnswer = z.infer<typeof intakeAnswerSchema>;
