import { createHash, randomBytes } from 'node:crypto';
import type { RenewRequest } from '@skerry/contracts';
import { verifySignature, type NKey } from './nkey.js';

/** How far a renewal's time may be from the checker's, either way. */
export const RENEWAL_WINDOW_MS = 60_000;

export type RenewalCheck = { ok: true } | { ok: false; reason: 'other-site' | 'bad-time' | 'bad-signature' };

/** A site's request for new credentials, signed by the user key that it made when it joined. */
export function signRenewal(
  user: NKey,
  request: { site: string; nowMs: number; csr?: string | undefined },
): RenewRequest {
  const unsigned = {
    site: request.site,
    at: new Date(request.nowMs).toISOString(),
    nonce: randomBytes(16).toString('base64url'),
    ...(request.csr === undefined ? {} : { csr: request.csr }),
  };
  return { ...unsigned, signature: user.sign(signedText(unsigned)).toString('base64url') };
}

/**
 * Whether the owner of `userKey` (the key on record for the site) asks for just this now. A replay within
 * the minute earns nothing: what is issued is of use only to the holder of the site's two private keys.
 */
export function checkRenewal(
  request: RenewRequest,
  expected: { site: string; userKey: string; nowMs: number },
): RenewalCheck {
  if (request.site !== expected.site) return { ok: false, reason: 'other-site' };
  const signature = Buffer.from(request.signature, 'base64url');
  if (!verifySignature(expected.userKey, signedText(request), signature)) {
    return { ok: false, reason: 'bad-signature' };
  }
  // Written so that a time that cannot be read is refused too.
  const fresh = Math.abs(expected.nowMs - Date.parse(request.at)) <= RENEWAL_WINDOW_MS;
  return fresh ? { ok: true } : { ok: false, reason: 'bad-time' };
}

/**
 * Starts with its purpose, so that no signature made for something else (a login) can stand for it, and
 * covers the certificate request, so that what is asked for cannot be swapped.
 */
function signedText({ site, at, nonce, csr }: Omit<RenewRequest, 'signature'>): string {
  const digest = createHash('sha256')
    .update(csr ?? '')
    .digest('hex');
  return JSON.stringify(['skerry-renewal-v1', site, at, nonce, digest]);
}
