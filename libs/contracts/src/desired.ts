import { z } from 'zod';
import { accessSchema } from './access.js';
import { LIMITS } from './limits.js';
import { datasetUsesSchema } from './needed-datasets.js';
import { count, instantSchema, millis, nameSchema, positiveCount, requestIdSchema } from './primitives.js';
import { warrantSchema } from './recovered.js';
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
  /** With `stop`: after how long without the hub; absent: 10 s. */
  orphanStopAfterMs: millis(LIMITS.orphanStopAfterMinMs, 30 * 86_400_000).optional(),
  /** Datasets whose copies at this site have to be caught up before a replica begins. */
  data: datasetUsesSchema.optional(),
  /** Of a singleton: rises whenever it is given to another site. Its owner acts only while the site holds its lease. */
  epoch: z.number().int().min(1).max(LIMITS.singletonEpoch).optional(),
  /** Of a singleton: how many losses of this site (`SiteState.losses`) the decision knew of; absent: none. A lease that knows of more does not cover it. */
  losses: count.optional(),
  requestId: requestIdSchema,
  /** What else its workload says: a hub restored from an older backup learns of it from here. Absent: an older hub's. */
  declared: z
    .strictObject({
      /** JSON of `labels`, `placement` and `daemon`, as text: a site has no use for it, and one of before loses nothing of it. */
      rest: z.string().max(LIMITS.documentBytes),
      warrant: warrantSchema,
    })
    .optional(),
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

/** What operators want of a site's nodes: `cordoned` takes nothing new, `draining` also gives away what runs, `removed` is for ever. */
export const nodeRulesSchema = z.strictObject({
  kind: z.literal('NodeRules'),
  site: nameSchema,
  /** Rises with each change; the newest counts, as a whole. A node that is not named is as any other. */
  generation: positiveCount,
  nodes: z
    .record(nameSchema, z.enum(['cordoned', 'draining', 'removed']))
    .refine(
      (n) => Object.keys(n).length <= LIMITS.nodesPerSite,
      `at most ${LIMITS.nodesPerSite} (limit nodesPerSite)`,
    ),
});
export type NodeRules = z.infer<typeof nodeRulesSchema>;

/** Everything that can be wanted of a site. */
export const desiredSchema = z.discriminatedUnion('kind', [
  assignmentSchema,
  tombstoneSchema,
  retirementSchema,
  nodeRulesSchema,
  accessSchema,
]);
export type Desired = z.infer<typeof desiredSchema>;

const KINDS: ReadonlySet<string> = new Set(desiredSchema.options.flatMap((o) => [...o.shape.kind.values]));
const someKindSchema = z.looseObject({ kind: z.string().max(63) });

/** The kind of a desired object that this version does not know and a later one may; a site passes it over. */
export function laterKind(value: unknown): string | undefined {
  const parsed = someKindSchema.safeParse(value);
  return parsed.success && !KINDS.has(parsed.data.kind) ? parsed.data.kind : undefined;
}

/** What is wanted of a site as such; ordered by generation. */
export type SiteObject = Exclude<Desired, WorkloadObject>;
/** What is wanted of one workload at a site; ordered by version. */
export type WorkloadObject = Assignment | Tombstone;

/** Whether it concerns one workload, and so has a project, a name and a version. */
export function isWorkloadObject(object: Desired): object is WorkloadObject {
  return object.kind === 'Assignment' || object.kind === 'Tombstone';
}
