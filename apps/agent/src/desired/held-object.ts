import {
  assignmentSchema,
  desiredSchema,
  isWorkloadObject,
  overrideSchema,
  type Assignment,
  type Desired,
} from '@skerry/contracts';
import { z } from 'zod';

/** What the site holds of one workload: the newest object or what stands over it, and what runs when that one was refused. */
export const heldObjectSchema = z.strictObject({
  object: desiredSchema,
  /** A local change: `object` is what it puts in place of `base`, the newest that the hub wants; none: the hub knows nothing of it. */
  override: z.strictObject({ change: overrideSchema, base: desiredSchema.optional() }).optional(),
  /** The newest assignment that fitted here, while `object` is a newer one that was refused. */
  fallback: assignmentSchema.optional(),
  /** A tombstone that was carried out and whose report the hub has stored. */
  acknowledgedAt: z.number().optional(),
  /** Of a cron: runs due later than this count (ms since 1970). */
  cronFrom: z.number().optional(),
  /** Trace of the change that brought it. */
  traceparent: z.string().max(128).optional(),
});
export type HeldObject = z.infer<typeof heldObjectSchema>;

/** The newest that the hub wants of it; undefined when the hub knows nothing of it. */
export function hubObjectOf(held: HeldObject): Desired | undefined {
  return held.override === undefined ? held.object : held.override.base;
}

/** Proposal of the local change that stands over what the hub wants of it. */
export function changeOf({ override }: HeldObject): string | undefined {
  return override?.change.proposal;
}

/** File name and map key of an object: names hold no dots and no slashes. */
export function keyOf(object: Desired): string {
  switch (object.kind) {
    case 'Retirement':
      return RETIREMENT;
    case 'NodeRules':
      return NODE_RULES;
    case 'Access':
      return ACCESS;
    case 'Assignment':
    case 'Tombstone':
      return `${object.project}.${object.name}`;
  }
}

/** Below 0 when `a` is older than `b`. What is wanted of the site as such is compared by its generation. */
export function compareObjects(a: Desired, b: Desired): number {
  const [x, y] = [orderOf(a), orderOf(b)];
  return x.term - y.term || x.generation - y.generation || x.revision - y.revision;
}

/** Begin with a character that no name has. */
export const RETIREMENT = '_retirement';
export const NODE_RULES = '_node-rules';
export const ACCESS = '_access';

function orderOf(object: Desired): Assignment['version'] {
  return isWorkloadObject(object) ? object.version : { term: 1, generation: object.generation, revision: 0 };
}
