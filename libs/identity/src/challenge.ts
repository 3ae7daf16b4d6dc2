import { createHash, randomBytes } from 'node:crypto';
import { verifySignature, type NKey } from './nkey.js';
import type { Challenge } from './site-bundle.js';

/** How far a challenge's time may be from the checker's, either way. */
export const CHALLENGE_LIFETIME_MS = 60_000;

export type ChallengeCheck =
  { ok: true } | { ok: false; reason: 'other-site' | 'other-request' | 'bad-time' | 'bad-signature' };

/** A fresh challenge for this certificate request, signed by the site's user key. */
export function signChallenge(
  user: NKey,
  request: { site: string; csrPem: string; nowMs: number },
): { challenge: Challenge; signature: string } {
  const challenge = {
    site: request.site,
    nonce: randomBytes(16).toString('hex'),
    atMs: request.nowMs,
    digest: digestOf(request.csrPem),
  };
  return { challenge, signature: user.sign(signedText(challenge)).toString('base64url') };
}

/**
 * Whether the owner of `userKey` (the key on record for the site) asks for just this certificate now. A
 * replay within the 60 s earns nothing: what is issued is of use only to the holder of the site's two keys.
 */
export function checkChallenge(
  request: { challenge: Challenge; signature: string; csrPem: string },
  expected: { site: string; userKey: string; nowMs: number },
): ChallengeCheck {
  const { challenge } = request;
  if (challenge.site !== expected.site) return { ok: false, reason: 'other-site' };
  if (challenge.digest !== digestOf(request.csrPem)) return { ok: false, reason: 'other-request' };
  const signature = Buffer.from(request.signature, 'base64url');
  if (!verifySignature(expected.userKey, signedText(challenge), signature)) {
    return { ok: false, reason: 'bad-signature' };
  }
  // Written so that a time that is not a number is refused too.
  const fresh = Math.abs(expected.nowMs - challenge.atMs) <= CHALLENGE_LIFETIME_MS;
  return fresh ? { ok: true } : { ok: false, reason: 'bad-time' };
}

/** Starts with its purpose, so that no signature made for something else (a login nonce) can stand for it. */
function signedText({ site, nonce, atMs, digest }: Challenge): string {
  return JSON.stringify(['skerry-renewal-v1', site, nonce, atMs, digest]);
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
