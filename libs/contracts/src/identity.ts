import { z } from 'zod';
import { instantSchema, nameSchema } from './primitives.js';
import { roleSchema } from './command.js';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** A bearer token of the HTTP api: bucket `identities`, key `token.<id>`. Only the hash of its secret is kept. */
export const apiTokenSchema = z.strictObject({
  kind: z.literal('ApiToken'),
  id: z.string().regex(/^[a-z0-9]{8,32}$/),
  secretSha256: sha256,
  /** Of the key that is derived from the secret, with which its bearer signs requests to a site that is cut off. Tokens made before it lack it, and count at the api alone. */
  offlineKey: z
    .string()
    .regex(/^U[A-Z2-7]{55}$/)
    .optional(),
  subject: z.string().min(1).max(128),
  role: roleSchema,
  createdAt: instantSchema,
  expiresAt: instantSchema,
});
export type ApiToken = z.infer<typeof apiTokenSchema>;

/** A single-use token to join as one site: bucket `identities`, key `join.<site>`. */
export const joinTicketSchema = z.strictObject({
  kind: z.literal('JoinTicket'),
  site: nameSchema,
  id: z.string().regex(/^[a-z0-9]{8,32}$/),
  secretSha256: sha256,
  expiresAt: instantSchema,
  usedAt: instantSchema.optional(),
});
export type JoinTicket = z.infer<typeof joinTicketSchema>;

/** The key a site made for itself when it joined: bucket `identities`, key `site.<site>`. It is the site's identity. */
export const siteIdentitySchema = z.strictObject({
  kind: z.literal('SiteIdentity'),
  site: nameSchema,
  account: z.string().regex(/^A[A-Z2-7]{55}$/),
  userKey: z.string().regex(/^U[A-Z2-7]{55}$/),
  joinedAt: instantSchema,
  revokedAt: instantSchema.optional(),
});
export type SiteIdentity = z.infer<typeof siteIdentitySchema>;

/** What a machine sends to join: its own public keys, never a private one. Answered over HTTPS at the join endpoint. */
export const joinRequestSchema = z.strictObject({
  token: z.string().max(200),
  userKey: z.string().regex(/^U[A-Z2-7]{55}$/),
  /** PKCS#10 request for the leaf server's certificate, PEM. */
  csr: z.string().max(8_192),
});
export type JoinRequest = z.infer<typeof joinRequestSchema>;

/** What a joined site gets: its name, credentials and where the hub is. */
export const joinAnswerSchema = z.strictObject({
  site: nameSchema,
  account: z.string(),
  userJwt: z.string(),
  userJwtExpiresAt: instantSchema,
  certificate: z.string(),
  ca: z.string(),
  leafUrls: z.array(z.string()).min(1).max(16),
  renewUrl: z.string(),
});
export type JoinAnswer = z.infer<typeof joinAnswerSchema>;

/** A renewal, signed with the site's user key over everything in it (`signRenewal` of identity); `at` may be 60 s off. */
export const renewRequestSchema = z.strictObject({
  site: nameSchema,
  at: instantSchema,
  nonce: z.string().regex(/^[A-Za-z0-9_-]{16,64}$/),
  signature: z.string().max(200),
  /** A new PKCS#10 request when the certificate is renewed too. */
  csr: z.string().max(8_192).optional(),
});
export type RenewRequest = z.infer<typeof renewRequestSchema>;
