import { hashSecret, makeTokenText, parseTokenText, secretMatches } from './token-text.js';

const PREFIX = 'skj';
/** How long a join token can be used. */
export const JOIN_TOKEN_LIFETIME_MS = 15 * 60_000;

/** What the issuer keeps of a join token: enough to check it, not enough to use it. */
export interface JoinTokenRecord {
  id: string;
  site: string;
  /** SHA-256 of the secret, hexadecimal. */
  hash: string;
  expiresAtMs: number;
  /** When it was used; a token works once. */
  usedAtMs?: number;
}

export type JoinTokenCheck =
  { ok: true } | { ok: false; reason: 'malformed' | 'unknown' | 'expired' | 'used' };

/** A token `skj_<id>_<secret>` with which one new machine may join as this site, once, within 15 minutes. */
export function makeJoinToken(site: string, nowMs: number): { token: string; record: JoinTokenRecord } {
  const { id, secret, text } = makeTokenText(PREFIX);
  const record = { id, site, hash: hashSecret(secret), expiresAtMs: nowMs + JOIN_TOKEN_LIFETIME_MS };
  return { token: text, record };
}

/** The id under which the token's record is found, or undefined when the text is no join token. */
export function joinTokenId(token: string): string | undefined {
  return parseTokenText(PREFIX, token)?.id;
}

/**
 * Whether the token may be used now. That it is used once only, also by two at the same moment, is for the
 * caller to make sure: store `usedAtMs` by compare-and-set before anything is issued.
 */
export function checkJoinToken(
  token: string,
  record: JoinTokenRecord | undefined,
  nowMs: number,
): JoinTokenCheck {
  const parts = parseTokenText(PREFIX, token);
  if (parts === undefined) return { ok: false, reason: 'malformed' };
  if (record?.id !== parts.id || !secretMatches(parts.secret, record.hash)) {
    return { ok: false, reason: 'unknown' };
  }
  if (record.usedAtMs !== undefined) return { ok: false, reason: 'used' };
  return nowMs < record.expiresAtMs ? { ok: true } : { ok: false, reason: 'expired' };
}
