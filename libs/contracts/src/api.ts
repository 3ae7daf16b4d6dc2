import { z } from 'zod';
import { LIMITS } from './limits.js';
import { count, finite, instantSchema, nameSchema } from './primitives.js';
import { placementSchema, siteExplanationSchema } from './placement.js';
import { siteDescriptionSchema, siteSchema, siteStateSchema } from './site.js';
import { statusSchema } from './status.js';
import { workloadSchema } from './workload.js';

/** Shapes of the HTTP api beyond the nouns themselves. Paths are in `libs/client`. */

/** A file of documents as it was read: YAML or JSON, one document or several. Errors name it. */
export const documentSourceSchema = z.strictObject({ name: z.string().max(255), text: z.string() });
export type DocumentSource = z.infer<typeof documentSourceSchema>;
/** Body of apply and plan as JSON; as `text/yaml` the body is one source. Together one command, all or nothing. */
export const applyBodySchema = z
  .strictObject({
    sources: z.array(documentSourceSchema).min(1).max(LIMITS.documentsPerCommand).optional(),
    documents: z.array(z.unknown()).min(1).max(LIMITS.documentsPerCommand).optional(),
  })
  .refine((b) => (b.sources === undefined) !== (b.documents === undefined), 'either sources or documents');
export type ApplyBody = z.infer<typeof applyBodySchema>;

/** Why lines of a site are missing from a merged log. */
export const logGapSchema = z.strictObject({ site: nameSchema, reason: z.string().max(300) });
export type LogGap = z.infer<typeof logGapSchema>;

/** What `plan` answers for one workload: the decision that an apply would make now; nothing is committed. */
export const planItemSchema = z.strictObject({
  project: nameSchema,
  name: nameSchema,
  change: z.enum(['create', 'update', 'none']),
  placement: placementSchema,
  /** Replicas by site before and after. */
  moves: z.array(z.strictObject({ site: nameSchema, before: count, after: count })),
});
export const planSchema = z.strictObject({ items: z.array(planItemSchema) });
export type Plan = z.infer<typeof planSchema>;

export const whySchema = z.strictObject({
  placement: placementSchema,
  /** Every site, best first; recomputed from the inputs now known. */
  sites: z.array(siteExplanationSchema).max(LIMITS.sitesPerHub),
  /** True when the inputs have changed since the decision was made. */
  inputsChanged: z.boolean(),
});
export type Why = z.infer<typeof whySchema>;

export const workloadViewSchema = z.strictObject({
  workload: workloadSchema,
  placement: placementSchema.optional(),
  status: statusSchema.optional(),
});
export type WorkloadView = z.infer<typeof workloadViewSchema>;

export const siteViewSchema = z.strictObject({
  site: siteSchema,
  state: siteStateSchema.optional(),
  replicas: count,
  running: count,
});
export type SiteView = z.infer<typeof siteViewSchema>;

export const addSiteSchema = z.strictObject({
  site: siteDescriptionSchema,
  /** Address, reachable from the new machine, where the join endpoint shall listen; default: where it listens already. */
  address: z.string().max(255).optional(),
});
export type AddSite = z.infer<typeof addSiteSchema>;
export const addSiteAnswerSchema = z.strictObject({
  site: siteSchema,
  /** Shown once; single use; never stored in clear. */
  token: z.string(),
  expiresAt: instantSchema,
  endpoint: z.string(),
  /** SHA-256 of the endpoint's public key, `sha256//…`. */
  pin: z.string(),
  /** One line for the new machine; reads the token from standard input. */
  command: z.string(),
});
export type AddSiteAnswer = z.infer<typeof addSiteAnswerSchema>;

/** One line of a replica's log. */
export const logLineSchema = z.strictObject({
  site: nameSchema,
  replica: z.string(),
  at: instantSchema,
  stream: z.enum(['stdout', 'stderr']),
  line: z.string(),
});
export type LogLine = z.infer<typeof logLineSchema>;

/** What api asks of a site for logs, on its downlink; the site answers in pages on its own request subject. */
export const logRequestSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9]{16,40}$/),
  project: nameSchema,
  name: nameSchema,
  tail: z.number().int().min(0).max(10_000),
  follow: z.boolean(),
});
export type LogRequest = z.infer<typeof logRequestSchema>;
/** `dl.req.logs-more`: the asker is still there. */
export const logMoreSchema = z.strictObject({ id: logRequestSchema.shape.id });
export type LogMore = z.infer<typeof logMoreSchema>;
/** A page of an answer; with `follow` the asker says `dl.req.logs-more` every 10 s, else the site ends it after 30 s. */
export const logPageSchema = z.strictObject({
  lines: z.array(logLineSchema).max(1_000),
  done: z.boolean(),
  error: z.string().max(300).optional(),
});
export type LogPage = z.infer<typeof logPageSchema>;

export const deadLetterSchema = z.strictObject({
  id: count,
  app: z.string(),
  stream: z.string(),
  consumer: z.string(),
  subject: z.string(),
  sequence: count,
  deliveries: count,
  reason: z.string(),
  at: instantSchema,
  /** The message as it was, when it is text. */
  body: z.string().optional(),
});
export type DeadLetter = z.infer<typeof deadLetterSchema>;

export const doctorCheckSchema = z.strictObject({
  check: z.string(),
  ok: z.boolean(),
  detail: z.string(),
  hint: z.string().optional(),
});
export const doctorSchema = z.strictObject({ checks: z.array(doctorCheckSchema) });
export type Doctor = z.infer<typeof doctorSchema>;

export const capacityUseSchema = z.strictObject({
  cpuMillicores: finite,
  memoryMiB: finite,
  diskMiB: finite,
});
