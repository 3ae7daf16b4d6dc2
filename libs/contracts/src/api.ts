import { z } from 'zod';
import { outcomeSchema } from './command.js';
import { datasetDocumentSchema } from './dataset.js';
import { LIMITS } from './limits.js';
import { count, finite, instantSchema, nameSchema, positiveCount } from './primitives.js';
import { placementSchema, siteExplanationSchema } from './placement.js';
import { siteDescriptionSchema, siteSchema, siteStateSchema } from './site.js';
import { statusSchema } from './status.js';
import { workloadDocumentSchema, workloadSchema } from './workload.js';

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

/** Cost in currency units a month and the mean round trip of the users in ms, over what it speaks of. */
export const planFiguresSchema = z.strictObject({
  replicas: count,
  costPerMonth: finite.min(0),
  latencyMs: finite.min(0).optional(),
});
export type PlanFigures = z.infer<typeof planFiguresSchema>;

/** What a plan answers for one workload: the decision that would be made now; nothing is committed. */
export const planItemSchema = z.strictObject({
  project: nameSchema,
  name: nameSchema,
  change: z.enum(['create', 'update', 'none']),
  placement: placementSchema,
  /** Replicas by site before and after. */
  moves: z.array(z.strictObject({ site: nameSchema, before: count, after: count })),
  /** What is placed now; absent for a workload that is not. */
  before: planFiguresSchema.optional(),
});

/** What a plan answers for one dataset: where its copies would be, and where not and why; nothing is committed. */
export const plannedDatasetSchema = z.strictObject({
  project: nameSchema,
  name: nameSchema,
  change: planItemSchema.shape.change,
  /** Where copies may be, in words. */
  rule: z.string(),
  /** By name of the site. `now`: there is one already. `why`: where copies are chosen, what this one is for. */
  copies: z.array(z.strictObject({ site: nameSchema, now: z.boolean(), why: z.string().optional() })),
  /** `now`: there is a copy, which goes. */
  without: z.array(z.strictObject({ site: nameSchema, now: z.boolean(), why: z.string() })),
  /** Sites that one answer has no room for. */
  omitted: z.strictObject({ copies: count, without: count }).optional(),
});
export type PlannedDataset = z.infer<typeof plannedDatasetSchema>;

/** What was asked, beside or in place of documents: without a site, with a site drained, or moves that gain. */
export const scenarioSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('apply') }),
  z.strictObject({ kind: z.literal('without-site'), site: nameSchema }),
  z.strictObject({ kind: z.literal('drain'), site: nameSchema }),
  z.strictObject({
    kind: z.literal('rebalance'),
    /** Replicas that may move at most. */
    maxMoves: count,
  }),
]);
export type Scenario = z.infer<typeof scenarioSchema>;
export const planIdSchema = z.string().regex(/^plan-[0-9a-f]{16}$/, '"plan-" and 16 hexadecimal digits');
/**
 * A plan is a value: `id` is a digest of what was asked and of what would be placed where, so that the same decision has
 * the same id. It is kept `PLAN_HOURS`, and applied only while deciding again gives the same.
 */
export const planSchema = z.strictObject({
  id: planIdSchema,
  scenario: scenarioSchema,
  items: z.array(planItemSchema),
  /** Datasets that were planned too, as if they were there before the workloads; absent: none was asked for. */
  datasets: z.array(plannedDatasetSchema).optional(),
  before: planFiguresSchema,
  after: planFiguresSchema,
  /** Workloads that stay as they are and are not among the items. */
  untouched: count,
  /** Changes that one answer has no room for; `before` and `after` count them, and the id names them too. */
  omitted: count.optional(),
});
export type Plan = z.infer<typeof planSchema>;
/** Hours a plan is kept for `apply --plan`. */
export const PLAN_HOURS = 24;

/** What became of `apply --plan`: the plan as deciding again gave it, and for documents what policy made of them. */
export const planAppliedSchema = z.strictObject({
  plan: planSchema,
  /** Absent when nothing was asked of policy: a rebalance moves what runs and changes no workload. */
  outcome: outcomeSchema.optional(),
});
export type PlanApplied = z.infer<typeof planAppliedSchema>;

/** What api keeps of a plan under `<id>.plan` and, with documents, `<id>.documents` in bucket `plans`. */
export const keptPlanSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('KeptPlan'), plan: planSchema }),
  z.strictObject({
    kind: z.literal('PlannedDocuments'),
    documents: z.array(workloadDocumentSchema),
    datasets: z.array(datasetDocumentSchema).optional(),
  }),
]);
export type KeptPlan = z.infer<typeof keptPlanSchema>;

/** Body of a what-if: every workload that the scenario touches is decided again. */
export const whatIfBodySchema = z.strictObject({
  scenario: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('without-site'), site: nameSchema }),
    z.strictObject({ kind: z.literal('drain'), site: nameSchema }),
    z.strictObject({
      kind: z.literal('rebalance'),
      /** Share of all replicas that may move, in percent. */
      maxMovesPercent: finite.min(0).max(100).default(5),
    }),
  ]),
});
export type WhatIfBody = z.infer<typeof whatIfBodySchema>;

/** Which decision `why` speaks of: the one that counts now, or an earlier one by its revision or a moment. */
export const whyQuerySchema = z.strictObject({
  /** Only this site, in full; without it the first 256 are, and of the others what they failed. */
  site: nameSchema.optional(),
  /** Revision of the placement. */
  revision: positiveCount.optional(),
  /** The decision that counted at this moment. */
  at: instantSchema.optional(),
});
export type WhyQuery = z.infer<typeof whyQuerySchema>;
export const whySchema = z.strictObject({
  placement: placementSchema,
  /** Every site, best first. */
  sites: z.array(siteExplanationSchema).max(LIMITS.sitesPerHub),
  /** `recorded`: recomputed from the inputs the decision was made of. `current`: those are gone, so from what is known now. */
  from: z.enum(['recorded', 'current']),
  /** Deciding again from the recorded inputs gave the same decision, bit for bit; false says that the engine's version differs. Absent with `current`. */
  reproduced: z.boolean().optional(),
  /** Version of the engine that explains; the decision names its own. */
  engine: z.string(),
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

/** One step of an upgrade, in the order in which they are made. */
export const upgradeStepSchema = z.strictObject({
  /** `cli`, `centre`, or the name of a site. */
  what: z.string(),
  /** Every version found there; of a site, those of its nodes. */
  versions: z.array(z.string()).max(LIMITS.sitesPerHub),
  /** `done`: at the centre's version. `too-far`: more than one minor version away, not supported. */
  state: z.enum(['done', 'behind', 'ahead', 'too-far', 'unknown']),
  how: z.string().max(300),
});
export const upgradeSchema = z.strictObject({
  /** Version of the centre that answers. */
  version: z.string(),
  steps: z.array(upgradeStepSchema),
});
export type Upgrade = z.infer<typeof upgradeSchema>;
export type UpgradeStep = z.infer<typeof upgradeStepSchema>;

export const capacityUseSchema = z.strictObject({
  cpuMillicores: finite,
  memoryMiB: finite,
  diskMiB: finite,
});
