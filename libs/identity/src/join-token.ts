import type { JoinTicket } from '@skerry/contracts';
import { hashSecret, makeTokenText, parseTokenText, secretMatches } from './token-text.js';

const PREFIX = 'skj';
/** How long a join token can be used. */
export const JOIN_TOKEN_LIFETIME_MS = 15 * 60_000;

export type JoinTokenCheck =
  { ok: true } | { ok: false; reason: 'malformed' | 'unknown' | 'expired' | 'used' };

/**
 * A token `skj_<id>_<secret>` with which one new machine may join as this site, once, within 15 minutes; and
 * the ticket that is stored: enough to check the token, not enough to use it.
 */
export function makeJoinToken(site: string, nowMs: number): { token: string; ticket: JoinTicket } {
  const { id, secret, text } = makeTokenText(PREFIX);
  const expiresAt = new Date(nowMs + JOIN_TOKEN_LIFETIME_MS).toISOString();
  return {
    token: text,
    ticket: { kind: 'JoinTicket', site, id, secretSha256: hashSecret(secret), expiresAt },
  };
}

/** The id of the token's ticket, or undefined when the text is no join token. */
export function joinTokenId(token: string): string | undefined {
  return parseTokenText(PREFIX, token)?.id;
}

/**
 * Whether the token may be used now. That it is used once only, also by two at the same moment, is for the
 * caller to make sure: store `usedAt` by compare-and-set before anything is issued.
 */
export function checkJoinToken(token: string, ticket: JoinTicket | undefined, nowMs: number): JoinTokenCheck {
  const parts = parseTokenText(PREFIX, token);
  if (parts === undefined) return { ok: false, reason: 'malformed' };
  if (ticket?.id !== parts.id || !secretMatches(parts.secret, ticket.secretSha256)) {
    return { ok: false, reason: 'unknown' };
  }
  if (ticket.usedAt !== undefined) return { ok: false, reason: 'used' };
  return nowMs < Date.parse(ticket.expiresAt) ? { ok: true } : { ok: false, reason: 'expired' };
}
