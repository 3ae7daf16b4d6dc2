import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { driverNameSchema, gpuModelSchema, labelsSchema, LIMITS, nameSchema, parse } from '@skerry/contracts';
import { z } from 'zod';

const port = z.number().int().min(1).max(65_535);

/** `site.json` in the agent's folder: what this machine is. Written by `join`, or by whoever sets a site up. */
export const siteFileSchema = z.strictObject({
  site: nameSchema,
  /** Name of this machine at the site. */
  node: nameSchema,
  labels: labelsSchema.default({}),
  /** Public key of the site's account on the hub. */
  account: z.string().regex(/^A[A-Z2-7]{55}$/),
  /** Where the site's own nats-server listens for clients. */
  server: z.strictObject({
    host: z.string().min(1).max(255).default('127.0.0.1'),
    port,
    /** The other servers of a site that has a cluster of three: then everything is kept three times. */
    others: z
      .array(z.strictObject({ host: z.string().min(1).max(255), port }))
      .length(2)
      .optional(),
  }),
  /** Address at which replicas of this node are reached. */
  address: z.string().min(1).max(255).default('127.0.0.1'),
  /** What replicas may use of this machine; default 90 % of its processors, 80 % of its memory, 80 % of its free disk. */
  allocatable: z
    .strictObject({
      cpuMillicores: z.number().int().min(0),
      memoryMiB: z.number().int().min(0),
      diskMiB: z.number().int().min(0),
      /** GPUs of one model; default what SKERRY_AGENT_GPUS says, else what the NVIDIA driver shows. */
      gpus: z.number().int().min(0).max(LIMITS.gpusPerNode),
      gpuModel: gpuModelSchema,
    })
    .partial()
    .default({}),
  drivers: z.array(driverNameSchema).min(1).default(['process', 'mock']),
  /** Ports handed to replicas that name none. The default lies below what Linux gives to outgoing connections. */
  portRange: z
    .strictObject({ from: port, to: port })
    .refine((r) => r.from <= r.to, '`from` not above `to`')
    .default({ from: 20_000, to: 31_999 }),
  /** The site's nats-server binary, for `up`; default: NATS_SERVER, then the one on PATH. */
  natsServer: z.string().optional(),
  /** Room on the disk for what happened here, in MiB: the journal (default 16), its events (16), logs of all replicas (1,024). */
  budget: z
    .strictObject({
      journalMiB: z.number().min(0.0625).max(1_024),
      eventsMiB: z.number().min(0.0625).max(1_024),
      logsMiB: z.number().min(1).max(1_048_576),
    })
    .partial()
    .default({}),
  /** Where this site renews its credentials; absent: somebody else keeps them fresh. */
  renew: z.strictObject({ url: z.url(), pin: z.string().regex(/^sha256\/\/[A-Za-z0-9+/=]{44}$/) }).optional(),
});
export type SiteFile = z.infer<typeof siteFileSchema>;

/** Addresses of the site's own servers, and how many copies each stream has there. */
export function serversOf({ server }: Pick<SiteFile, 'server'>): { servers: string[]; replicas: number } {
  const all = [server, ...(server.others ?? [])];
  return { servers: all.map(({ host, port: at }) => `${host}:${at}`), replicas: all.length };
}

/** Reads and checks `<dir>/site.json`; throws with every problem of it, and what to do when there is none. */
export async function readSiteFile(dir: string): Promise<SiteFile> {
  const path = join(dir, 'site.json');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Error(`read ${path}: is this the folder of a site? \`join\` makes one`, { cause });
  });
  const parsed = parse(siteFileSchema, JSON.parse(text));
  if (parsed.ok) return parsed.value;
  const issues = parsed.issues.map(
    (i) => `${i.path}: ${i.problem}${i.allowed ? ` (allowed: ${i.allowed})` : ''}`,
  );
  throw new Error(`${path} is wrong: ${issues.join('; ')}`);
}

/** Places in the agent's folder. */
export function folders(dir: string) {
  return {
    desired: join(dir, 'state', 'desired'),
    datasets: join(dir, 'state', 'datasets'),
    objects: join(dir, 'state', 'objects'),
    entryLogs: join(dir, 'state', 'entry-logs'),
    wholeCopies: join(dir, 'state', 'whole-copies.json'),
    quarantine: join(dir, 'state', 'quarantine'),
    leaseDeadline: join(dir, 'state', 'lease-deadline'),
    endpoint: join(dir, 'state', 'replica-endpoint.json'),
    members: join(dir, 'state', 'members.json'),
    allotments: join(dir, 'state', 'allotments'),
    replicas: join(dir, 'state', 'replicas'),
    mocks: join(dir, 'state', 'mock-replicas.json'),
    counter: join(dir, 'state', 'reports.json'),
    cutOff: join(dir, 'state', 'cut-off.json'),
    lease: join(dir, 'state', 'lease.json'),
    lock: join(dir, 'state', 'agent.lock'),
    leafServer: join(dir, 'state', 'leaf-server.json'),
    work: join(dir, 'work'),
    agentSeed: join(dir, 'agent.seed'),
    operatorSeed: join(dir, 'operator.seed'),
    localSeed: join(dir, 'local.seed'),
    loginsSeed: join(dir, 'logins.seed'),
    userSeed: join(dir, 'user.seed'),
    leafConf: join(dir, 'leaf.conf'),
    leafCreds: join(dir, 'leaf.creds'),
    tls: join(dir, 'tls'),
    jetstream: join(dir, 'jetstream'),
  };
}
export type Folders = ReturnType<typeof folders>;
