import type { ApiToken, Actor } from '@skerry/contracts';
import { hashSecret, makeTokenText, parseTokenText, secretMatches } from './token-text.js';

const PREFIX = 'sky';

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
    subject: request.subject,
    role: request.role,
    createdAt: new Date(request.nowMs).toISOString(),
    expiresAt: new Date(request.expiresAtMs).toISOString(),
  };
  return { token: text, record };
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
