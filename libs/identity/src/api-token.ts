import { hashSecret, makeTokenText, parseTokenText, secretMatches } from './token-text.js';

const PREFIX = 'sky';

/** `viewer` reads; `editor` also changes workloads; `admin` also sites, tokens and dead letters. */
export const API_ROLES = ['viewer', 'editor', 'admin'] as const;
export type ApiRole = (typeof API_ROLES)[number];

/** What the api keeps of a bearer token: enough to check it, not enough to use it. */
export interface ApiTokenRecord {
  id: string;
  /** Whose it is, for the audit log. */
  name: string;
  role: ApiRole;
  /** SHA-256 of the secret, hexadecimal. */
  hash: string;
  expiresAtMs: number;
}

export type ApiTokenCheck =
  { ok: true; name: string; role: ApiRole } | { ok: false; reason: 'malformed' | 'unknown' | 'expired' };

/** A bearer token `sky_<id>_<secret>` for the HTTP api. */
export function makeApiToken(request: { name: string; role: ApiRole; expiresAtMs: number }): {
  token: string;
  record: ApiTokenRecord;
} {
  const { id, secret, text } = makeTokenText(PREFIX);
  const { name, role, expiresAtMs } = request;
  return { token: text, record: { id, name, role, hash: hashSecret(secret), expiresAtMs } };
}

/** The id under which the token's record is found, or undefined when the text is no api token. */
export function apiTokenId(token: string): string | undefined {
  return parseTokenText(PREFIX, token)?.id;
}

/** Who the token's bearer is and what the bearer may do, or why the token does not count. */
export function checkApiToken(
  token: string,
  record: ApiTokenRecord | undefined,
  nowMs: number,
): ApiTokenCheck {
  const parts = parseTokenText(PREFIX, token);
  if (parts === undefined) return { ok: false, reason: 'malformed' };
  if (record?.id !== parts.id || !secretMatches(parts.secret, record.hash)) {
    return { ok: false, reason: 'unknown' };
  }
  if (nowMs >= record.expiresAtMs) return { ok: false, reason: 'expired' };
  return { ok: true, name: record.name, role: record.role };
}
