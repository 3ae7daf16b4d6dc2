import { z } from 'zod';
import { LIMITS } from './limits.js';
import {
  count,
  instantSchema,
  labelsSchema,
  nameSchema,
  positiveCount,
  requestIdSchema,
} from './primitives.js';
import { nodeSchema } from './site.js';
import { tombstoneSchema } from './desired.js';
import { versionSchema } from './version.js';

/**
 * What the nodes of one site say among themselves, at the site's own server. None of it crosses to the hub; each agent of a
 * site is of one version or of two that follow each other.
 */

/** A node that belongs to the site: bucket `members` at the site, key the node's name, written by that node alone. */
export const memberSchema = z.strictObject({
  kind: z.literal('Member'),
  /** Random for each start of its agent. */
  incarnation: z.string().max(64),
  joinedAt: instantSchema,
  labels: labelsSchema.default({}),
  /** What the machine is and has; its report number is not used. */
  report: nodeSchema,
});
export type Member = z.infer<typeof memberSchema>;

/**
 * Which node runs which replicas of one workload: bucket `allotments` at the site, key `<project>.<name>`, written by the
 * controller alone, conditional on its epoch.
 */
export const allotmentSchema = z.strictObject({
  kind: z.literal('Allotment'),
  project: nameSchema,
  name: nameSchema,
  /** The version that was accepted: nodes run this one. */
  version: versionSchema,
  /** Proposal of the local change that was accepted over that version: nodes run what it says; absent: what the hub wants. */
  change: requestIdSchema.optional(),
  /** Node of each slot; an empty text for a slot that has none now. */
  slots: z.array(z.union([nameSchema, z.literal('')])).max(LIMITS.replicasPerAssignment),
  /** Whether at most one of it may run anywhere; absent: not known. */
  single: z.boolean().optional(),
  /** Nodes that keep a replica of a slot until the one that takes its place is healthy, by slot; of a singleton: that has to end it. */
  leaving: z.record(z.string().regex(/^\d{1,4}$/), nameSchema).optional(),
  /** The only node that may exchange running replicas for newer ones now; absent: any. */
  turn: nameSchema.optional(),
  /** Slots given to another node since a run was last due are not caught up on: their runs count from here, ms since 1970. */
  movedAtMs: count.optional(),
  /** Of a singleton: how often it went from node to node here under one epoch of the centre. */
  moves: count.optional(),
  /** Nothing of it is wanted any more; kept until every node has said that nothing is left. */
  tombstone: tombstoneSchema.optional(),
  /** The controller's epoch. */
  epoch: positiveCount,
});
export type Allotment = z.infer<typeof allotmentSchema>;

/** Who allots: key `SITE_EPOCH_KEY` of bucket `allotments`. Writes of others are refused by its revision. */
export const siteEpochSchema = z.strictObject({
  kind: z.literal('SiteEpoch'),
  controller: nameSchema,
  /** Reports of this controller have numbers from here on: higher than those of any before. */
  reportsFrom: positiveCount,
});
export type SiteEpoch = z.infer<typeof siteEpochSchema>;

/** Twice a second by each node of a site with several. */
export const nodeBeatSchema = z.strictObject({
  node: nameSchema,
  incarnation: z.string().max(64),
  /** Rises with each beat of an incarnation. */
  beat: count,
  /** Everything that runs here has been reported at the site, up to this sequence of bucket `seen`. */
  reported: z.boolean(),
  seen: count,
  /** Sequence in bucket `allotments` of the newest that it acts on. */
  applied: count,
  held: count,
  running: count,
  troubles: z.array(z.string().max(LIMITS.troubleChars)).max(LIMITS.troubles),
});
export type NodeBeat = z.infer<typeof nodeBeatSchema>;

/** Twice a second by the controller. */
export const sitePulseSchema = z.strictObject({
  controller: nameSchema,
  epoch: positiveCount,
  /** Newest beat heard of each node, with its incarnation: `<incarnation>.<beat>`. */
  heard: z.record(nameSchema, z.string().max(96)),
  /** How long ago the ping was sent that the hub answered last; absent: never since this controller began. */
  hubAgoMs: count.optional(),
  /** The newest lease that the hub gave: how long ago its ping was sent, and how often the site had been lost. */
  lease: z.strictObject({ agoMs: count, losses: count }).optional(),
  /** Sequence in bucket `allotments`: the lease is for nodes that act on all up to there; absent: for all. */
  allotted: count.optional(),
});
export type SitePulse = z.infer<typeof sitePulseSchema>;
