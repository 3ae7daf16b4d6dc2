import { z } from 'zod';
import { declaredHistory, declaredIdentity, documentMetadataSchema } from './declared.js';
import { LIMITS } from './limits.js';
import { digestSchema, gpuModelSchema, millis, positiveCount } from './primitives.js';
import { datasetUsesSchema } from './needed-datasets.js';
import { demandPointSchema, placementRulesSchema } from './placement-rules.js';
import { recoveredSchema, warrantSchema } from './recovered.js';

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

/** GPUs of one replica: whole ones, all on one node, or with `shareMilli` a part of one (thousandths). */
export const gpuRequestSchema = z
  .strictObject({
    count: z.number().int().min(1).max(LIMITS.gpusPerNode).default(1),
    shareMilli: z.number().int().min(1).max(999).optional(),
    /** Models that will do; without, any. */
    models: z.array(gpuModelSchema).min(1).max(64).optional(),
  })
  .refine((g) => g.shareMilli === undefined || g.count === 1, {
    path: ['shareMilli'],
    message: 'a share of one GPU only: leave count at 1',
  });
export type GpuRequest = z.infer<typeof gpuRequestSchema>;

/** What one replica needs. The process driver enforces cpu and memory by cgroup where the machine has one. */
export const resourcesSchema = z.strictObject({
  cpuMillicores: z.number().int().min(0).max(1_024_000).default(100),
  memoryMiB: z.number().int().min(0).max(16_777_216).default(64),
  diskMiB: z.number().int().min(0).max(1_073_741_824).default(0),
  gpu: gpuRequestSchema.optional(),
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

/** How replicas are exchanged for a new generation at one site. */
export const updateSchema = z.strictObject({
  /** Replicas that may be down at once. */
  maxUnavailable: positiveCount.max(LIMITS.replicasPerAssignment).default(1),
  /** Time a new replica has to become healthy. */
  healthyDeadlineMs: millis(1_000, DAY_MS).default(120_000),
});

/**
 * A `service` runs until stopped; a `job` runs to completion; a `cron` runs to completion at each time of its schedule; a
 * `daemon` runs at every site (or node) that matches; a `singleton` has at most one owner.
 */
export const workloadTypeSchema = z.enum(['service', 'job', 'cron', 'daemon', 'singleton']);
export type WorkloadType = z.infer<typeof workloadTypeSchema>;

/** When a cron runs. The site itself keeps the time, so that a site that is cut off runs it too. */
export const cronSchema = z.strictObject({
  /** Five fields (minute, hour, day of month, month, day of week), or six with seconds first. */
  schedule: z.string().min(1).max(120),
  /** IANA name. */
  timeZone: z.string().min(1).max(64).default('UTC'),
  /** When a run is due and the last one has not ended: leave it out, end the last one, or have both. */
  overlap: z.enum(['skip', 'replace', 'allow']).default('skip'),
});
export type Cron = z.infer<typeof cronSchema>;

export const workloadSpecSchema = z
  .strictObject({
    type: workloadTypeSchema.default('service'),
    /** For a daemon: one replica at every site that matches, or one for each of its nodes. */
    daemon: z.strictObject({ per: z.enum(['site', 'node']).default('site') }).optional(),
    cron: cronSchema.optional(),
    run: runSchema,
    resources: resourcesSchema.default(resourcesSchema.parse({})),
    health: healthSchema.optional(),
    /** Datasets that it uses; absent: none that it waits for. */
    data: datasetUsesSchema.optional(),
    placement: placementRulesSchema.default(placementRulesSchema.parse({})),
    update: updateSchema.default(updateSchema.parse({})),
  })
  .superRefine((spec, ctx) => {
    const { replicas } = spec.placement;
    if ((spec.type === 'cron') !== (spec.cron !== undefined)) {
      const message = spec.cron ? 'only with type: cron' : 'a schedule: a cron needs to know when';
      ctx.addIssue({ code: 'custom', path: ['cron'], message });
    }
    if (spec.daemon && spec.type !== 'daemon') {
      ctx.addIssue({ code: 'custom', path: ['daemon'], message: 'only with type: daemon' });
    }
    if (spec.type === 'singleton' && replicas !== 1) {
      ctx.addIssue({
        code: 'custom',
        path: ['placement', 'replicas'],
        message: '1: a singleton has one owner',
      });
    }
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
  metadata: documentMetadataSchema,
  spec: workloadSpecSchema,
});
export type WorkloadDocument = z.infer<typeof workloadDocumentSchema>;

/** A workload as policy keeps it: the noun of bucket `workloads`, key `<project>.<name>`. */
export const workloadSchema = z.strictObject({
  kind: z.literal('Workload'),
  ...declaredIdentity,
  spec: workloadSpecSchema,
  specDigest: digestSchema,
  /** `spec.placement.users` as coordinates, resolved when admitted. */
  demand: z.array(demandPointSchema),
  /** Stopped by an operator: nothing runs, the spec stays. */
  stopped: z.boolean(),
  ...declaredHistory,
  /** Learned again from sites that held it: it is younger than the backup that the hub was restored from. */
  recovered: recoveredSchema.optional(),
  /** What proves later that policy admitted exactly this; absent: an older policy did. */
  warrant: warrantSchema.optional(),
});
export type Workload = z.infer<typeof workloadSchema>;
