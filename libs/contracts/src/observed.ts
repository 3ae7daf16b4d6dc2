import { z } from 'zod';
import { LIMITS } from './limits.js';
import { count, finite, instantSchema, nameSchema, positiveCount, requestIdSchema } from './primitives.js';
import { capacityDigestSchema, siteStandingSchema } from './site.js';
import { versionSchema } from './version.js';
import { checkResultSchema } from './placement.js';

export const replicaPhaseSchema = z.enum([
  'starting',
  'running',
  'unhealthy',
  'backoff',
  'stopping',
  'failed',
  'completed',
]);
export type ReplicaPhase = z.infer<typeof replicaPhaseSchema>;

/** One running copy of a workload on a node, as its agent sees it. */
export const replicaSchema = z.strictObject({
  id: z.string(),
  slot: count,
  node: nameSchema,
  phase: replicaPhaseSchema,
  /** Version it was started for. */
  version: versionSchema,
  /** Of one that runs what was changed at its site over that version: the proposal of the change. */
  change: requestIdSchema.optional(),
  pid: positiveCount.optional(),
  /** `host:port` by port name. */
  addresses: z.record(z.string(), z.string().max(300)),
  restarts: count,
  since: instantSchema,
  exitCode: z.number().int().optional(),
  message: z.string().max(300).optional(),
});
export type Replica = z.infer<typeof replicaSchema>;

/** Of a cron at one site: when the newest run was due, and when the next one is. */
export const cronTimesSchema = z.strictObject({
  last: instantSchema.optional(),
  next: instantSchema.optional(),
});

/** What a site reports of one workload: the newest report is the whole truth, older ones are dropped. */
export const observedSchema = z.strictObject({
  kind: z.literal('Observed'),
  site: nameSchema,
  project: nameSchema,
  name: nameSchema,
  /** The version acted on. */
  version: versionSchema,
  /** `refused`: it does not fit here; `absent`: a tombstone was carried out, nothing of it is left. */
  state: z.enum(['accepted', 'refused', 'absent']),
  refusal: checkResultSchema.optional(),
  wanted: count,
  replicas: z.array(replicaSchema).max(LIMITS.replicasPerAssignment),
  runs: cronTimesSchema.optional(),
  /** How many losses of this site it had heard of (`PingAnswer`); what it says is newer than its return from that many. */
  losses: count.optional(),
  reportedAt: instantSchema,
  /** Rises with each report of this workload at this site, over restarts of the agent too. */
  report: positiveCount,
});
export type Observed = z.infer<typeof observedSchema>;

/** One a second and site, never stored. The site is known by the account in the subject, not by what it says. */
export const heartbeatSchema = z.strictObject({
  kind: z.literal('Heartbeat'),
  site: nameSchema,
  sentAt: instantSchema,
  agentVersion: z.string().max(64),
  /** Random for each start of the agent. */
  incarnation: z.string().max(64),
  nodes: count,
  /** With rooms of nodes that take nothing new in `capacity`: what runs there has to be counted until it has gone. */
  standing: siteStandingSchema.optional(),
  capacity: capacityDigestSchema,
  hubRttMs: finite.min(0).optional(),
  /** Reports waiting to go up. */
  outboxMessages: count,
  /** Objects held and replicas running. */
  held: count,
  running: count,
  /** What is wrong at the site and a person has to mend, such as a full disk. Nothing: all is well. */
  troubles: z.array(z.string().max(LIMITS.troubleChars)).max(LIMITS.troubles).optional(),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;

/**
 * What inventory says to a ping. Without `lease` (an older hub) it counts as given. `lease: false`: this instance gives none;
 * ask again soon. `losses`: how often the site was declared lost; a lease covers singletons whose assignment knows of as many.
 */
export const pingAnswerSchema = z.strictObject({
  at: instantSchema,
  lease: z.boolean().optional(),
  losses: count.optional(),
});
export type PingAnswer = z.infer<typeof pingAnswerSchema>;

/** One page of what a site holds; the replicator answers with what differs. */
export const digestRequestSchema = z.strictObject({
  site: nameSchema,
  /** 0-based; the last page says so. */
  page: count,
  last: z.boolean(),
  items: z
    .array(z.strictObject({ project: nameSchema, name: nameSchema, version: versionSchema }))
    .max(LIMITS.digestItemsPerPage),
  /** Highest sequence of `DL` that reached the site, 0 for none: above the hub's own, `DL` went back in time. */
  lastSequence: count,
  /** Generation of who may act there, as it holds it: that is sent when it is another. */
  access: count.optional(),
});
export type DigestRequest = z.infer<typeof digestRequestSchema>;

/** What the replicator says to the last page: newer objects in full (bounded by the message size; `more` asks for another round). */
export const digestAnswerSchema = z.strictObject({
  objects: z.array(z.unknown()),
  /** The traceparent that an object was written with, by `<project>.<name>`: its trace goes on by this way too. */
  traces: z.record(z.string(), z.string().max(128)).optional(),
  /** Keys the site holds that the hub does not know: they stay, and are reported. */
  unknown: z.array(z.string()).max(LIMITS.digestItemsPerPage),
  more: z.boolean(),
});
export type DigestAnswer = z.infer<typeof digestAnswerSchema>;
