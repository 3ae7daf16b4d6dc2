import { z } from 'zod';
import { LIMITS } from './limits.js';
import {
  count,
  countrySchema,
  finite,
  gpuModelSchema,
  instantSchema,
  jurisdictionSchema,
  labelKeySchema,
  labelsSchema,
  labelValueSchema,
  latitudeSchema,
  longitudeSchema,
  nameSchema,
  positiveCount,
  siteKindSchema,
} from './primitives.js';
import { driverNameSchema } from './workload.js';

export const locationSchema = z.strictObject({
  lat: latitudeSchema,
  lon: longitudeSchema,
  city: z.string().max(120).optional(),
  country: countrySchema.optional(),
});
export type Location = z.infer<typeof locationSchema>;

const price = finite.min(0).max(1e9);
/** Prices in the cloud's one currency. */
export const pricesSchema = z.strictObject({
  cpuCoreMonth: price.default(0),
  memoryGiBMonth: price.default(0),
  egressGiB: price.default(0),
  /** For each whole GPU, or part of one by its share. */
  gpuMonth: price.default(0),
});
export type Prices = z.infer<typeof pricesSchema>;

/** Keeps work away from a site that does not tolerate it: `no-new` takes nothing new, `no-run` also moves away what runs. */
export const taintSchema = z.strictObject({
  key: labelKeySchema,
  value: labelValueSchema.default(''),
  effect: z.enum(['no-new', 'no-run']).default('no-new'),
});
export type Taint = z.infer<typeof taintSchema>;

/** The way to another site: what it carries and what sending over it costs. */
export const linkSchema = z.strictObject({
  bandwidthMbps: finite.min(0).max(1e9).optional(),
  egressGiB: price.optional(),
});

/** What an operator says of a site. */
export const siteDescriptionSchema = z.strictObject({
  name: nameSchema,
  kind: siteKindSchema.default('onprem'),
  location: locationSchema,
  jurisdictions: z.array(jurisdictionSchema).max(16).default([]),
  provider: z.string().min(1).max(63).default('own'),
  prices: pricesSchema.default(pricesSchema.parse({})),
  labels: labelsSchema.default({}),
  /** Measured round trips to other sites or regions by their name, in ms. Unnamed pairs are estimated from coordinates. */
  rttMs: z.record(nameSchema, finite.min(0).max(60_000)).default({}),
  taints: z.array(taintSchema).max(LIMITS.taints).default([]),
  /** What the site's uplink carries; unknown fails a workload that asks for bandwidth. */
  bandwidthMbps: finite.min(0).max(1e9).optional(),
  links: z
    .record(nameSchema, linkSchema)
    .refine(
      (l) => Object.keys(l).length <= LIMITS.linksPerSite,
      `at most ${LIMITS.linksPerSite} (limit linksPerSite)`,
    )
    .default({}),
  /** Datasets with a copy here that Skerry does not keep itself. */
  datasets: z.array(nameSchema).max(256).default([]),
});
export type SiteDescription = z.infer<typeof siteDescriptionSchema>;

/**
 * Why what runs at a site is to go elsewhere. `drain`: what replaces it is healthy first, and what fits nowhere stays; the last
 * healthy copy of a service outlives even the deadline. `evacuate`, `retire`: the same until the deadline, then nothing stays.
 */
export const departureSchema = z.strictObject({
  kind: z.enum(['drain', 'evacuate', 'retire']),
  since: instantSchema,
  /** Without one, as long as it takes. */
  deadline: instantSchema.optional(),
});
export type Departure = z.infer<typeof departureSchema>;

/** What an operator wants of one node: takes nothing new; also gives away what it has; is gone for ever, its name too. */
export const nodeRuleSchema = z.enum(['cordoned', 'draining', 'removed']);
export type NodeRule = z.infer<typeof nodeRuleSchema>;

/** A site as policy keeps it: the noun of bucket `site-specs`, key `<site>`. A removed site stays as a tombstone: names are never used again. */
export const siteSchema = siteDescriptionSchema.extend({
  generation: positiveCount,
  /** Public key of the site's account on the hub. */
  account: z.string().regex(/^A[A-Z2-7]{55}$/),
  /** `pending` until it joined; `leaving` while its work moves away; `removed` is for ever. */
  membership: z.enum(['pending', 'joined', 'leaving', 'removed']),
  cordoned: z.boolean(),
  /** Takes nothing new, and what runs there is placed elsewhere. */
  draining: z.boolean().optional(),
  /** Set with `draining`, and while it is `leaving`. */
  departure: departureSchema.optional(),
  /** A removal was taken back then. The site may have ended already and say so later. */
  recalledAt: instantSchema.optional(),
  /** Nodes of which something is wanted. */
  nodes: z
    .record(nameSchema, nodeRuleSchema)
    .refine(
      (n) => Object.keys(n).length <= LIMITS.nodesPerSite,
      `at most ${LIMITS.nodesPerSite} (limit nodesPerSite)`,
    )
    .optional(),
  /** Rises with each change of `nodes`. */
  nodesGeneration: positiveCount.optional(),
  /** Cut off until this moment for sending more than its quota. */
  suspendedUntil: instantSchema.optional(),
  createdAt: instantSchema,
  updatedAt: instantSchema,
  commandSequence: count,
});
export type Site = z.infer<typeof siteSchema>;

/** One class of free room: `nodes` nodes have at least this much free. */
export const freeShapeSchema = z.strictObject({
  nodes: positiveCount,
  cpuMillicores: count,
  memoryMiB: count,
  diskMiB: count,
  gpus: z.number().int().min(0).max(LIMITS.gpusPerNode).optional(),
  gpuModel: gpuModelSchema.optional(),
});
export type FreeShape = z.infer<typeof freeShapeSchema>;

/**
 * What a site could still take, as classes of node sizes (sums would hide fragmentation). Shapes are the
 * nodes' allocatable sizes, without what Skerry itself has placed there: the scheduler subtracts its own ledger.
 */
export const capacityDigestSchema = z.strictObject({
  shapes: z.array(freeShapeSchema).max(LIMITS.shapesPerDigest),
  drivers: z.array(driverNameSchema),
});
export type CapacityDigest = z.infer<typeof capacityDigestSchema>;

/**
 * What operators want of a site's nodes, where it is so of all that are there: none takes new work (`cordoned`), or what runs
 * there is to go to other sites too (`draining`).
 */
export const siteStandingSchema = z.enum(['cordoned', 'draining']);
export type SiteStanding = z.infer<typeof siteStandingSchema>;

export const sitePhaseSchema = z.enum(['pending', 'ready', 'suspect', 'lost', 'left']);
export type SitePhase = z.infer<typeof sitePhaseSchema>;

/** What inventory knows of a site: the noun of bucket `site-states`, key `<site>`. Written when something changes, not with every heartbeat. */
export const siteStateSchema = z.strictObject({
  kind: z.literal('SiteState'),
  site: nameSchema,
  phase: sitePhaseSchema,
  since: instantSchema,
  lastHeartbeatAt: instantSchema.optional(),
  capacity: capacityDigestSchema,
  nodes: count,
  /** As the newest heartbeat said. */
  standing: siteStandingSchema.optional(),
  agentVersion: z.string().max(64).optional(),
  /** Smoothed round trip between the site and the hub. */
  hubRttMs: finite.min(0).optional(),
  /** Rises with each change of `phase`. */
  revision: positiveCount,
  /** How often it was declared lost; absent: never. Leases given to the site since name it. */
  losses: count.optional(),
  /** When suspect or lost: how long before this was written it was last heard, or given a lease; ms by inventory's monotonic clock. */
  silentMs: count.optional(),
  /** `silentMs` as a moment by the clock of who read this: what the scheduler decides by, never in the bucket. */
  silentSince: instantSchema.optional(),
  /**
   * Why it is not what its silence, or its being heard, would make it: `brake`: too many fell silent at once, and the fault is
   * taken to be the hub's; `moves`: as many replicas as may were moved within the last minute; `flapping`: it comes and goes,
   * and has to be heard for a while first.
   */
  held: z.strictObject({ by: z.enum(['brake', 'moves', 'flapping']), since: instantSchema }).optional(),
});
export type SiteState = z.infer<typeof siteStateSchema>;

/** `lost`: unheard for so long that its replicas are placed on others. `cordoned` and `draining` as its operators want it. */
export const nodePhaseSchema = z.enum(['ready', 'suspect', 'lost', 'cordoned', 'draining', 'removed']);
export type NodePhase = z.infer<typeof nodePhaseSchema>;

/** A machine at a site, as its agent reports it: the noun of bucket `nodes`, key `<site>.<node>`. */
export const nodeSchema = z.strictObject({
  kind: z.literal('Node'),
  site: nameSchema,
  node: nameSchema,
  agentVersion: z.string().max(64),
  os: z.string().max(64),
  arch: z.string().max(32),
  allocatable: z.strictObject({
    cpuMillicores: count,
    memoryMiB: count,
    diskMiB: count,
    gpus: z.number().int().min(0).max(LIMITS.gpusPerNode).optional(),
    gpuModel: gpuModelSchema.optional(),
  }),
  drivers: z.array(driverNameSchema),
  /** How limits are enforced: none means that the kernel offers no cgroup to this agent. */
  cgroup: z.enum(['v1', 'v2', 'none']),
  address: z.string().max(255),
  bootId: z.string().max(64),
  startedAt: instantSchema,
  reportedAt: instantSchema,
  report: positiveCount,
  /**
   * As the site's controller sees it, or as operators want it; absent: its site has no other node, of which nothing is wanted,
   * and says by its heartbeat how it fares.
   */
  phase: nodePhaseSchema.optional(),
  labels: labelsSchema.optional(),
});
export type Node = z.infer<typeof nodeSchema>;
