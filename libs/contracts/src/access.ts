import { z } from 'zod';
import { roleSchema } from './command.js';
import { LIMITS } from './limits.js';
import { quotaSchema } from './policy.js';
import { instantSchema, nameSchema, positiveCount } from './primitives.js';
import { siteDescriptionSchema } from './site.js';

/**
 * A token that may act at a site which is cut off. The site gets the public half of a key that is derived from the token's
 * secret: it can check who asks, and can neither use the token elsewhere nor ask in its name.
 */
export const accessTokenSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9]{8,32}$/),
  publicKey: z.string().regex(/^U[A-Z2-7]{55}$/),
  subject: z.string().min(1).max(128),
  role: roleSchema,
  expiresAt: instantSchema,
});
export type AccessToken = z.infer<typeof accessTokenSchema>;

/**
 * Who may do what at one site without the hub, and by which rules: `desired.<site>.access._.<site>`. Delivered anew every
 * hour and with each change. After `validUntil` it lets nobody in: a site that was cut off for
 * longer does not know whom the cloud has shut out since.
 */
export const accessSchema = z.strictObject({
  kind: z.literal('Access'),
  site: nameSchema,
  /** Milliseconds of `issuedAt`: rises, and the newest counts. */
  generation: positiveCount,
  issuedAt: instantSchema,
  validUntil: instantSchema,
  tokens: z.array(accessTokenSchema).max(LIMITS.accessTokens),
  /** What the cloud knows the site as: what residency and the other walls are checked against. */
  place: siteDescriptionSchema.pick({
    name: true,
    kind: true,
    jurisdictions: true,
    provider: true,
    labels: true,
  }),
  /** Quotas of projects of which something is here: what the site alone takes of them is checked here, the rest by the hub. */
  quotas: z.array(quotaSchema.omit({ requestId: true, commandSequence: true })).max(LIMITS.accessQuotas),
  /** There are quotas of other projects: nothing is begun here of a project that has nothing here. */
  moreQuotas: z.literal(true).optional(),
});
export type Access = z.infer<typeof accessSchema>;
