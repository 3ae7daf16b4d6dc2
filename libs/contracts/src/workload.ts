import { z } from 'zod';
import { LIMITS } from './limits.js';
import {
  count,
  countrySchema,
  digestSchema,
  finite,
  instantSchema,
  jurisdictionSchema,
  labelKeySchema,
  labelsSchema,
  labelValueSchema,
  latitudeSchema,
  longitudeSchema,
  millis,
  nameSchema,
  positiveCount,
  requestIdSchema,
} from './primitives.js';

const DAY_MS = 86_400_000;
const argvSchema = z.array(z.string().min(1).max(LIMITS.argvItemChars)).min(1).max(LIMITS.argvItems);
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const envSchema = z
  .record(
    z.string().max(LIMITS.labelChars).regex(ENV_NAME, 'letters, digits and "_", not beginning with a digit'),
    z.string().max(LIMITS.envValueChars),
  )
  .refine(
    (e) => Object.keys(e).length <= LIMITS.envEntries,
    `at most ${LIMITS.envEntries} entries (limit envEntries)`,
  )
  .refine(
    (e) => !Object.keys(e).some((k) => k.startsWith('SKERRY_')),
    'names beginning with SKERRY_ are given by the agent',
  );

/** A path inside the replica's own folder: relative, without "..". */
const innerPathSchema = z
  .string()
  .min(1)
  .max(255)
  .regex(
    /^(?!\/)(?!.*(?:^|\/)\.\.?(?:\/|$))(?!.*\/\/)[-A-Za-z0-9._/]+$/,
    'a relative path without ".." (letters, digits, "-", "_", ".", "/")',
  );

/** A file written into the replica's folder before it starts. */
export const fileSchema = z.strictObject({
  path: innerPathSchema,
  content: z.string().max(LIMITS.fileBytes),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'octal permissions such as "0644"')
    .default('0644'),
});

/** A port a replica listens on. Without `port` the agent picks a free one; either way it is handed over as `PORT_<NAME>` (and `PORT` for the first), with the address to listen on as `HOST`. */
export const portSchema = z.strictObject({
  name: z.string().regex(/^[a-z][-a-z0-9]{0,14}$/, 'at most 15 of a-z 0-9 "-", beginning with a letter'),
  port: z.number().int().min(1).max(65_535).optional(),
  protocol: z.enum(['tcp', 'udp']).default('tcp'),
});

/** The drivers that exist; an agent says in its heartbeat which of them it has. */
export const driverNameSchema = z.enum(['process', 'mock']);
export type DriverName = z.infer<typeof driverNameSchema>;

/** How a replica is stopped: the signal, then SIGKILL after `graceMs`. */
export const stopSchema = z.strictObject({
  signal: z.enum(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']).default('SIGTERM'),
  graceMs: millis(0, 600_000).default(10_000),
});

/** When a replica that ended is started again: after `backoffMs`, doubled each time up to `maxBackoffMs`. */
export const restartSchema = z.strictObject({
  policy: z.enum(['always', 'on-failure', 'never']).optional(),
  backoffMs: millis(10, 600_000).default(500),
  maxBackoffMs: millis(10, 3_600_000).default(30_000),
});

export const runSchema = z
  .strictObject({
    driver: driverNameSchema.default('process'),
    /** What to run, as an argv array; never a shell string. */
    command: argvSchema.optional(),
    env: envSchema.default({}),
    workingDir: innerPathSchema.optional(),
    files: z.array(fileSchema).max(LIMITS.filesPerWorkload).default([]),
    ports: z.array(portSchema).max(LIMITS.portsPerWorkload).default([]),
    stop: stopSchema.default(stopSchema.parse({})),
    restart: restartSchema.default(restartSchema.parse({})),
  })
  .refine((r) => r.driver !== 'process' || r.command !== undefined, {
    path: ['command'],
    message: 'an argv array: the process driver needs to know what to run',
  })
  .refine((r) => new Set(r.ports.map((p) => p.name)).size === r.ports.length, {
    path: ['ports'],
    message: 'port names used once each',
  })
  .refine((r) => new Set(r.files.map((f) => f.path)).size === r.files.length, {
    path: ['files'],
    message: 'file paths used once each',
  });
export type Run = z.infer<typeof runSchema>;

/** What one replica needs. The process driver enforces cpu and memory by cgroup where the machine has one. */
export const resourcesSchema = z.strictObject({
  cpuMillicores: z.number().int().min(0).max(1_024_000).default(100),
  memoryMiB: z.number().int().min(0).max(16_777_216).default(64),
  diskMiB: z.number().int().min(0).max(1_073_741_824).default(0),
});
export type Resources = z.infer<typeof resourcesSchema>;

const probeTiming = {
  intervalMs: millis(100, 3_600_000).default(2_000),
  timeoutMs: millis(10, 600_000).default(1_000),
  initialDelayMs: millis(0, 3_600_000).default(0),
  /** Failures in a row before a running replica counts as unhealthy. */
  failures: z.number().int().min(1).max(100).default(3),
};
const portNameSchema = z.string().min(1).max(15);
/** How the agent learns that a replica is healthy: exactly one of `http`, `tcp`, `exec`. */
export const healthSchema = z
  .strictObject({
    http: z
      .strictObject({
        path: z.string().regex(/^\//, 'a path beginning with "/"').max(1_024),
        port: portNameSchema,
      })
      .optional(),
    tcp: z.strictObject({ port: portNameSchema }).optional(),
    exec: z.strictObject({ command: argvSchema }).optional(),
    ...probeTiming,
  })
  .refine((h) => [h.http, h.tcp, h.exec].filter(Boolean).length === 1, 'exactly one of http, tcp, exec');
export type Health = z.infer<typeof healthSchema>;

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

/** Jurisdictions: at least one of a site's must be in `allow` (when given) and none of them in `deny`. A site that names none passes no `allow`. */
export const residencySchema = z
  .strictObject({
    allow: z.array(jurisdictionSchema).min(1).max(64).optional(),
    deny: z.array(jurisdictionSchema).min(1).max(64).optional(),
  })
  .refine((r) => r.allow !== undefined || r.deny !== undefined, 'allow or deny')
  .refine((r) => !r.allow?.some((j) => r.deny?.includes(j)), 'no jurisdiction both allowed and denied');

export const placementRulesSchema = z.strictObject({
  /** Replicas over all sites. */
  replicas: z.number().int().min(0).max(LIMITS.replicasPerWorkload).default(1),
  sites: z
    .strictObject({
      /** Labels a site must have: one value, or any of several. The site's name, kind and provider count as labels `name`, `kind`, `provider`. */
      required: selectorSchema.default({}),
      /** Labels worth having. */
      preferred: selectorSchema.default({}),
    })
    .default({ required: {}, preferred: {} }),
  residency: residencySchema.optional(),
  users: z.array(userGroupSchema).max(LIMITS.usersPerWorkload).default([]),
  /** Even spread over sites or the values of a label: counts differ by at most `maxSkew`. */
  spread: z
    .strictObject({
      over: labelKeySchema.default('site'),
      maxSkew: positiveCount.max(LIMITS.replicasPerWorkload).default(1),
    })
    .optional(),
  /** Currency units a month this workload may cost. */
  budgetPerMonth: finite.min(0).max(1e12).optional(),
  onSiteLoss: z
    .strictObject({
      /** After how long without a heartbeat its replicas are placed elsewhere; never below the cloud's `lostAfterMs`. */
      replaceAfterMs: millis(0, 30 * DAY_MS).optional(),
      /** What a cut-off site does with replicas that may have been replaced. */
      orphan: z.enum(['keep', 'stop']).default('keep'),
      rejoin: z.enum(['keep-original', 'keep-replacement', 'keep-newest']).default('keep-original'),
    })
    .default({ orphan: 'keep', rejoin: 'keep-original' }),
});
export type PlacementRules = z.infer<typeof placementRulesSchema>;

/** How replicas are exchanged for a new generation at one site. */
export const updateSchema = z.strictObject({
  /** Replicas that may be down at once. */
  maxUnavailable: positiveCount.max(LIMITS.replicasPerAssignment).default(1),
  /** Time a new replica has to become healthy. */
  healthyDeadlineMs: millis(1_000, DAY_MS).default(120_000),
});

export const workloadSpecSchema = z
  .strictObject({
    /** A `service` runs until stopped; a `job` runs to completion. */
    type: z.enum(['service', 'job']).default('service'),
    run: runSchema,
    resources: resourcesSchema.default(resourcesSchema.parse({})),
    health: healthSchema.optional(),
    placement: placementRulesSchema.default(placementRulesSchema.parse({})),
    update: updateSchema.default(updateSchema.parse({})),
  })
  .superRefine((spec, ctx) => {
    const wanted = spec.health?.http?.port ?? spec.health?.tcp?.port;
    if (wanted === undefined || spec.run.ports.some((p) => p.name === wanted)) return;
    const names = spec.run.ports.map((p) => p.name).join(', ');
    const path = ['health', spec.health?.http ? 'http' : 'tcp', 'port'];
    ctx.addIssue({
      code: 'custom',
      path,
      message:
        names === '' ? 'the name of a port in run.ports (there is none)' : `one of run.ports: ${names}`,
    });
  });
export type WorkloadSpec = z.infer<typeof workloadSpecSchema>;

/** A workload as people write it, in YAML or JSON. */
export const workloadDocumentSchema = z.strictObject({
  apiVersion: z.literal('skerry/v1'),
  kind: z.literal('Workload'),
  metadata: z.strictObject({
    name: nameSchema,
    project: nameSchema.default('default'),
    labels: labelsSchema.default({}),
  }),
  spec: workloadSpecSchema,
});
export type WorkloadDocument = z.infer<typeof workloadDocumentSchema>;

/** A workload as policy keeps it: the noun of bucket `workloads`, key `<project>.<name>`. */
export const workloadSchema = z.strictObject({
  kind: z.literal('Workload'),
  project: nameSchema,
  name: nameSchema,
  labels: labelsSchema,
  /** Rises with each accepted change, over deletions too: a generation is never used twice. */
  generation: positiveCount,
  spec: workloadSpecSchema,
  specDigest: digestSchema,
  /** `spec.placement.users` as coordinates, resolved when admitted. */
  demand: z.array(demandPointSchema),
  /** Stopped by an operator: nothing runs, the spec stays. */
  stopped: z.boolean(),
  /** Removed: kept as a tombstone, so that the generation goes on and late readers learn of it. */
  removed: z.boolean(),
  createdAt: instantSchema,
  updatedAt: instantSchema,
  /** The request that made this generation. */
  requestId: requestIdSchema,
  /** Sequence of the newest command applied to it: an older one that is delivered again changes nothing. */
  commandSequence: count,
});
export type Workload = z.infer<typeof workloadSchema>;
