import { z } from 'zod';
import { LIMITS } from './limits.js';
import {
  countrySchema,
  finite,
  jurisdictionSchema,
  labelKeySchema,
  labelValueSchema,
  latitudeSchema,
  longitudeSchema,
  millis,
  nameSchema,
  positiveCount,
  siteKindSchema,
} from './primitives.js';

const DAY_MS = 86_400_000;
const WEIGHT = finite.positive().max(1e9).default(1);
/** Where users are: by country, by city, or by coordinates (degrees); `weight` is their share or requests a second. */
export const userGroupSchema = z
  .strictObject({
    country: countrySchema.optional(),
    city: z.string().min(1).max(120).optional(),
    lat: latitudeSchema.optional(),
    lon: longitudeSchema.optional(),
    weight: WEIGHT,
  })
  .refine((u) => (u.lat === undefined) === (u.lon === undefined), 'lat and lon together')
  .refine(
    (u) => (u.lat !== undefined) !== (u.country !== undefined || u.city !== undefined),
    'a country, a city (with or without country), or lat and lon',
  );
export type UserGroup = z.infer<typeof userGroupSchema>;

/** A user location with coordinates: what placement works with. Weights of a workload add up to 1. */
export const demandPointSchema = z.strictObject({
  label: z.string().max(200),
  lat: latitudeSchema,
  lon: longitudeSchema,
  weight: finite.positive(),
});
export type DemandPoint = z.infer<typeof demandPointSchema>;

const selectorSchema = z
  .record(labelKeySchema, z.union([labelValueSchema, z.array(labelValueSchema).min(1).max(64)]))
  .refine((l) => Object.keys(l).length <= LIMITS.labels, `at most ${LIMITS.labels} labels (limit labels)`);

const WORKLOAD_REF = /^(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?\/)?[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const VALUES_OF_OP = {
  in: [1, 64],
  notIn: [1, 64],
  exists: [0, 0],
  absent: [0, 0],
  gt: [1, 1],
  gte: [1, 1],
  lt: [1, 1],
  lte: [1, 1],
} as const;
const replicaCount = z.number().int().min(0).max(LIMITS.replicasPerWorkload);
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

/** Jurisdictions: at least one of a site's must be in `allow` (when given) and none of them in `deny`. A site that names none passes no `allow`. */
export const residencySchema = z
  .strictObject({
    allow: z.array(jurisdictionSchema).min(1).max(64).optional(),
    deny: z.array(jurisdictionSchema).min(1).max(64).optional(),
  })
  .refine((r) => r.allow !== undefined || r.deny !== undefined, 'allow or deny')
  .refine((r) => !r.allow?.some((j) => r.deny?.includes(j)), 'no jurisdiction both allowed and denied');

/** Replicas over all sites: a number, or a range in which the engine finds how many pay off. */
export const replicasSchema = z.union([
  replicaCount,
  z
    .strictObject({ min: replicaCount.min(1), max: replicaCount.min(1) })
    .refine((r) => r.min <= r.max, { path: ['min'], message: 'at most max' }),
]);

/**
 * One requirement of a label. `in` and `notIn` take `values`, `exists` and `absent` none; `gt`, `gte`, `lt`, `lte` compare
 * numbers (`gte: 16`) or versions (`gte: 2.10.0`), and a label that is neither fails them. Without the label only `absent` and `notIn` hold.
 */
export const labelRuleSchema = z
  .strictObject({
    label: labelKeySchema,
    op: z.enum(['in', 'notIn', 'exists', 'absent', 'gt', 'gte', 'lt', 'lte']),
    values: z.array(labelValueSchema).max(64).default([]),
  })
  .superRefine(({ op, values }, ctx) => {
    const [least, most] = VALUES_OF_OP[op];
    if (values.length >= least && values.length <= most) return;
    const allowed = most === 0 ? 'no values' : most === 1 ? 'exactly one value' : 'at least one value';
    ctx.addIssue({ code: 'custom', path: ['values'], message: `${allowed} with ${op}` });
  });
export type LabelRule = z.infer<typeof labelRuleSchema>;

/** Even counts (`maxSkew`, default 1) or shares in percent (`targets`; `"*"` is every value not named) over the values of a label. */
export const spreadSchema = z
  .strictObject({
    /** `site`, `provider`, `jurisdiction` (a site's first), `kind`, or any label. */
    over: labelKeySchema.default('site'),
    maxSkew: positiveCount.max(LIMITS.replicasPerWorkload).optional(),
    targets: z.record(z.union([labelValueSchema.min(1), z.literal('*')]), finite.min(0).max(100)).optional(),
  })
  .refine((s) => s.maxSkew === undefined || s.targets === undefined, 'either maxSkew or targets')
  .refine((s) => s.targets === undefined || Math.abs(sum(Object.values(s.targets)) - 100) < 0.01, {
    path: ['targets'],
    message: 'percentages that add up to 100',
  });
export type SpreadRule = z.infer<typeof spreadSchema>;

/** Another workload to be near to or apart from, within one value of `over`. */
export const affinitySchema = z.strictObject({
  /** `name` in the same project, or `project/name`. */
  workload: z.string().regex(WORKLOAD_REF, 'a workload as "name" or "project/name"').max(127),
  over: labelKeySchema.default('site'),
});

/** A site's taint that the workload does not mind; without `value` whatever its value. */
export const tolerationSchema = z.strictObject({ key: labelKeySchema, value: labelValueSchema.optional() });

const allowDeny = <T extends z.ZodType>(item: T) =>
  z
    .strictObject({
      allow: z.array(item).min(1).max(64).optional(),
      deny: z.array(item).min(1).max(64).optional(),
    })
    .refine((r) => r.allow !== undefined || r.deny !== undefined, 'allow or deny');

export const placementRulesSchema = z.strictObject({
  /** Replicas over all sites. Must be 1 for a singleton; a daemon takes as many as match. */
  replicas: replicasSchema.default(1),
  sites: z
    .strictObject({
      /** Labels a site must have: one value, or any of several. The site's name, kind and provider count as labels `name`, `kind`, `provider`. */
      required: selectorSchema.default({}),
      /** Labels worth having. */
      preferred: selectorSchema.default({}),
      /** Further requirements, all of which must hold. */
      match: z.array(labelRuleSchema).max(LIMITS.labels).default([]),
      kinds: allowDeny(siteKindSchema).optional(),
      providers: allowDeny(z.string().min(1).max(63)).optional(),
    })
    .default({ required: {}, preferred: {}, match: [] }),
  tolerations: z.array(tolerationSchema).max(LIMITS.taints).default([]),
  residency: residencySchema.optional(),
  users: z.array(userGroupSchema).max(LIMITS.usersPerWorkload).default([]),
  /** No user shall be served from farther than this; a site that is nearer to none of them is not taken. */
  maxLatencyMs: finite.positive().max(60_000).optional(),
  /** What the users cause, over all replicas. */
  traffic: z
    .strictObject({
      /** Sent to users, priced by each site's `prices.egressGiB`. */
      egressGiBMonth: finite.min(0).max(1e9).default(0),
      /** A replica carries at most this many times an even share of the users (an even share is one part in the least number of replicas). */
      headroom: finite.min(1).max(1_000).default(1.5),
    })
    .default({ egressGiBMonth: 0, headroom: 1.5 }),
  /** Datasets that must have a copy at the site. */
  datasets: z.array(nameSchema).max(16).default([]),
  /** The site's uplink has at least this. */
  minBandwidthMbps: finite.min(0).max(1e9).optional(),
  spread: spreadSchema.optional(),
  /** At most one replica for each value of a label: `site`, `provider`, `jurisdiction`, `kind`, or any. */
  distinct: labelKeySchema.optional(),
  affinity: z.array(affinitySchema).max(16).default([]),
  antiAffinity: z.array(affinitySchema).max(16).default([]),
  /** After the loss of any so many sites the other replicas still carry all users. */
  survive: z.strictObject({ sites: z.literal(1) }).optional(),
  /** Higher is placed first. With `preempts`, it may take the room of workloads of lower priority. */
  priority: z.number().int().min(0).max(1_000).default(0),
  preempts: z.boolean().default(false),
  /** Currency units a month this workload may cost. */
  budgetPerMonth: finite.min(0).max(1e12).optional(),
  onSiteLoss: z
    .strictObject({
      /**
       * After how long without a heartbeat its replicas are placed elsewhere; without it as soon as the site is declared lost. Less
       * than the 3 s that it takes to see whether the others are silent too would make a fault of the hub move everything.
       */
      replaceAfterMs: millis(LIMITS.replaceAfterMinMs, 30 * DAY_MS).optional(),
      /** What a cut-off site does with replicas that may have been replaced: `stop` after 10 s, or after another time. */
      orphan: z
        .union(
          [
            z.enum(['keep', 'stop']),
            z.strictObject({ stopAfterMs: millis(LIMITS.orphanStopAfterMinMs, 30 * DAY_MS) }),
          ],
          { error: `keep, stop, {stopAfterMs: ${LIMITS.orphanStopAfterMinMs} to ${30 * DAY_MS}}` },
        )
        .default('keep'),
      /** Which stay when the site returns healthy. */
      rejoin: z.enum(['keep-original', 'keep-replacement', 'keep-newest']).default('keep-original'),
    })
    .default({ orphan: 'keep', rejoin: 'keep-original' }),
});
export type PlacementRules = z.infer<typeof placementRulesSchema>;
