import { z } from 'zod';
import { LIMITS } from './limits.js';
import { instantSchema, nameSchema, positiveCount, requestIdSchema } from './primitives.js';
import { versionSchema } from './version.js';
import {
  cronSchema,
  healthSchema,
  resourcesSchema,
  runSchema,
  updateSchema,
  workloadTypeSchema,
} from './workload.js';

/** One site's part of a placement, complete in itself: what `desired.<site>.assignment.<project>.<name>` holds. */
export const assignmentSchema = z.strictObject({
  kind: z.literal('Assignment'),
  site: nameSchema,
  project: nameSchema,
  name: nameSchema,
  version: versionSchema,
  type: workloadTypeSchema,
  cron: cronSchema.optional(),
  replicas: z.number().int().min(0).max(LIMITS.replicasPerAssignment),
  run: runSchema,
  resources: resourcesSchema,
  health: healthSchema.optional(),
  update: updateSchema,
  orphan: z.enum(['keep', 'stop']),
  requestId: requestIdSchema,
});
export type Assignment = z.infer<typeof assignmentSchema>;

/** Says that something is no longer wanted here; kept until the site has acknowledged it. Absence never means delete. */
export const tombstoneSchema = z.strictObject({
  kind: z.literal('Tombstone'),
  site: nameSchema,
  project: nameSchema,
  name: nameSchema,
  version: versionSchema,
  removedAt: instantSchema,
  requestId: requestIdSchema,
});
export type Tombstone = z.infer<typeof tombstoneSchema>;

/** The last word to a site: stop everything, remove what was left on the machine, say so, end. */
export const retirementSchema = z.strictObject({
  kind: z.literal('Retirement'),
  site: nameSchema,
  /** The site's generation at which it was removed. */
  generation: positiveCount,
  at: instantSchema,
});
export type Retirement = z.infer<typeof retirementSchema>;

/** Everything that can be wanted of a site. */
export const desiredSchema = z.discriminatedUnion('kind', [
  assignmentSchema,
  tombstoneSchema,
  retirementSchema,
]);
export type Desired = z.infer<typeof desiredSchema>;

const KINDS: ReadonlySet<string> = new Set(desiredSchema.options.flatMap((o) => [...o.shape.kind.values]));
const someKindSchema = z.looseObject({ kind: z.string().max(63) });

/** The kind of a desired object that this version does not know and a later one may; a site passes it over. */
export function laterKind(value: unknown): string | undefined {
  const parsed = someKindSchema.safeParse(value);
  return parsed.success && !KINDS.has(parsed.data.kind) ? parsed.data.kind : undefined;
}
