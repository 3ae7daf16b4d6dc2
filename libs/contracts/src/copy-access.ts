import { z } from 'zod';
import { errorCodeSchema, issueSchema } from './errors.js';
import { nameSchema } from './primitives.js';

/** What is the same whatever of a dataset is asked for at a site: keys, files or a log. */

/** Fields of an operation that name its dataset. */
export const datasetNameFields = { project: nameSchema, name: nameSchema };

const siteRefusalSchema = z.strictObject({
  ok: z.literal(false),
  code: errorCodeSchema,
  title: z.string(),
  issues: z.array(issueSchema),
  hint: z.string().optional(),
});
/** Why a site did not do what it was asked. */
export type SiteRefusal = z.infer<typeof siteRefusalSchema>;
/** What a site says of an operation. */
export type SiteAnswer<A> = { ok: true; answer: A } | SiteRefusal;

/** `dl.req.<what>`: api asks a site to do it; the same `id` again is the same request. */
export function siteRequestOf<T extends z.ZodType>(operation: T) {
  return z.strictObject({ id: z.string().regex(/^[0-9a-f]{16,32}$/), operation });
}

/** The answer of the site, on `rpc.answer.<id>`. */
export function siteAnswerOf<T extends z.ZodType>(answer: T) {
  return z.discriminatedUnion('ok', [z.strictObject({ ok: z.literal(true), answer }), siteRefusalSchema]);
}

/** Sites without a copy of a dataset, and why. */
export const sitesWithoutSchema = z.array(z.strictObject({ site: nameSchema, why: z.string() }));

/** Fields of what is told of a site that has a copy. */
export const copyPlaceFields = { site: nameSchema, jurisdictions: z.array(z.string()) };
