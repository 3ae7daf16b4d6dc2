import { z } from 'zod';
import { LIMITS } from './limits.js';
import { count, instantSchema, nameSchema, positiveCount, storeSchema } from './primitives.js';

/**
 * Who writes a dataset with `conflicts: single-writer`: a site, for ever; or the site where a singleton of the same project is,
 * which uses the dataset with write access, and the home moves with it.
 */
export const homeSchema = z.union([nameSchema, z.strictObject({ with: nameSchema })]);
export type Home = z.infer<typeof homeSchema>;

/** Where a home that moves is: the noun of bucket `homes`, key `<project>.<dataset>`. */
export const datasetHomeSchema = z.strictObject({
  kind: z.literal('DatasetHome'),
  project: nameSchema,
  name: nameSchema,
  incarnation: positiveCount,
  site: nameSchema,
  /** Rises with each move. Records carry it, and the hub takes those of the newest alone. */
  epoch: positiveCount,
  /** The epoch of the workload's owner (`Placement.owner`) that it was decided by. */
  owner: positiveCount,
  /** Leases of the site that know of no more losses cover it (`SiteState.losses`). */
  losses: count,
  /** Sequence of the newest record before this epoch: who has not got it does not write yet. */
  floor: count,
  /** Copies at the site that may write, each written down before it is told. */
  stores: z.array(storeSchema).max(LIMITS.storesPerKey),
  /** It goes elsewhere: none of them writes any more, and what they have written is on its way to the hub. */
  closing: z.literal(true).optional(),
  since: instantSchema,
});
export type DatasetHome = z.infer<typeof datasetHomeSchema>;

/** What a copy is told of a home that moves. */
export const holderSchema = z.strictObject({
  /** The workload. */
  with: nameSchema,
  /** Absent: it is placed nowhere yet, and nobody writes. */
  site: nameSchema.optional(),
  /** 0 without a site. */
  epoch: count,
  losses: count,
  closing: z.literal(true).optional(),
  /** This copy may write, while a lease of its site covers `losses`. */
  pen: z.literal(true).optional(),
});
export type Holder = z.infer<typeof holderSchema>;

/** What people are told of a home that moves. */
export const placedHomeSchema = datasetHomeSchema.pick({
  site: true,
  epoch: true,
  closing: true,
  since: true,
});
export type PlacedHome = z.infer<typeof placedHomeSchema>;
