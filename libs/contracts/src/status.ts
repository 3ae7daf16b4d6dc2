import { z } from 'zod';
import { count, finite, instantSchema, nameSchema } from './primitives.js';
import { checkResultSchema } from './placement.js';
import { cronTimesSchema, replicaSchema } from './observed.js';
import { sitePhaseSchema } from './site.js';
import { versionSchema } from './version.js';
import { workloadTypeSchema } from './workload.js';

export const workloadPhaseSchema = z.enum([
  'placing',
  'unplaceable',
  'starting',
  'running',
  'degraded',
  'stopping',
  'stopped',
  'completed',
  'failed',
  'removed',
]);
export type WorkloadPhase = z.infer<typeof workloadPhaseSchema>;

/** A workload at one site, as the read model shows it. */
export const siteStatusSchema = z.strictObject({
  site: nameSchema,
  phase: sitePhaseSchema,
  why: z.string(),
  wanted: count,
  running: count,
  replicas: z.array(replicaSchema),
  refusal: checkResultSchema.optional(),
  runs: cronTimesSchema.optional(),
});
export type SiteStatus = z.infer<typeof siteStatusSchema>;

/** The read model of one workload: wanted, placed and observed in one view. */
export const statusSchema = z.strictObject({
  kind: z.literal('Status'),
  project: nameSchema,
  name: nameSchema,
  type: workloadTypeSchema,
  phase: workloadPhaseSchema,
  generation: count,
  version: versionSchema.optional(),
  wanted: count,
  running: count,
  latencyMs: finite.optional(),
  costPerMonth: finite.optional(),
  sites: z.array(siteStatusSchema),
  /** Why it is not running, each in one line. */
  reasons: z.array(z.string()),
  updatedAt: instantSchema,
});
export type Status = z.infer<typeof statusSchema>;

/** What telemetry keeps durably of a workload, so that each change of phase is announced once: bucket `status`. */
export const announcedSchema = z.strictObject({
  kind: z.literal('Announced'),
  project: nameSchema,
  name: nameSchema,
  phase: workloadPhaseSchema,
  generation: count,
  running: count,
  wanted: count,
  at: instantSchema,
});
export type Announced = z.infer<typeof announcedSchema>;
