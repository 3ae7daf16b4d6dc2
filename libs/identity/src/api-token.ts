import { createHmac } from 'node:crypto';
import type { ApiToken, Actor } from '@skerry/contracts';
import { NKey } from './nkey.js';
import { hashSecret, makeTokenText, parseTokenText, secretMatches } from './token-text.js';

const PREFIX = 'sky';
/** Says what the derived key is for, so that no other use of the secret gives the same. */
const OFFLINE_KEY = 'skerry site operations v1';

export type ApiTokenCheck =
  { ok: true; actor: Actor } | { ok: false; reason: 'malformed' | 'unknown' | 'expired' };

/**
 * A bearer token `sky_<id>_<secret>` for the HTTP api; and the record that is stored: enough to check the
 * token, not enough to use it.
 */
export function makeApiToken(request: {
  /** Whose it is, for the audit log. */
  subject: string;
  role: Actor['role'];
  nowMs: number;
  expiresAtMs: number;
}): { token: string; record: ApiToken } {
  const { id, secret, text } = makeTokenText(PREFIX);
  const record: ApiToken = {
    kind: 'ApiToken',
    id,
    secretSha256: hashSecret(secret),
    offlineKey: offlineKeyOf(secret).publicKey,
    subject: request.subject,
    role: request.role,
    createdAt: new Date(request.nowMs).toISOString(),
    expiresAt: new Date(request.expiresAtMs).toISOString(),
  };
  return { token: text, record };
}

/**
 * The key with which a token's bearer signs requests to a site that is cut off: derived from the secret, which never leaves
 * the bearer. Undefined when the text is no api token.
 */
export function apiTokenKey(token: string): { id: string; key: NKey } | undefined {
  const parts = parseTokenText(PREFIX, token);
  return parts && { id: parts.id, key: offlineKeyOf(parts.secret) };
}

function offlineKeyOf(secret: string): NKey {
  return NKey.fromRaw('user', createHmac('sha256', secret).update(OFFLINE_KEY).digest());
}

/** The id under which the token's record is found, or undefined when the text is no api token. */
export function apiTokenId(token: string): string | undefined {
  return parseTokenText(PREFIX, token)?.id;
}

/** Who the token's bearer is and what the bearer may do, or why the token does not count. */
export function checkApiToken(token: string, record: ApiToken | undefined, nowMs: number): ApiTokenCheck {
  const parts = parseTokenText(PREFIX, token);
  if (parts === undefined) return { ok: false, reason: 'malformed' };
  if (record?.id !== parts.id || !secretMatches(parts.secret, record.secretSha256)) {
    return { ok: false, reason: 'unknown' };
  }
  if (nowMs >= Date.parse(record.expiresAt)) return { ok: false, reason: 'expired' };
  return { ok: true, actor: { subject: record.subject, role: record.role } };
}
