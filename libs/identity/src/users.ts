import { mintJwt } from './jwt.js';
import { requirePublicKey, type NKey } from './nkey.js';

/** Subjects that a user may publish to and subscribe to; nothing else. */
export interface Permissions {
  pub: readonly string[];
  sub: readonly string[];
}

export interface UserRequest {
  name: string;
  /** Public key of the user, who alone has the seed. */
  user: string;
  /** Public key of the account that the user belongs to. */
  account: string;
  /** The account's own key or one of its signing keys. */
  issuer: NKey;
  issuedAtMs: number;
  /** None for a token that lasts until it is revoked. */
  expiresAtMs?: number;
}

/** A user who may log in as an ordinary client and use these subjects only. */
export function userJwt(request: UserRequest & { permissions: Permissions }): string {
  const { pub, sub } = request.permissions;
  return sign(request, {
    pub: pub.length === 0 ? { deny: ['>'] } : { allow: pub },
    sub: sub.length === 0 ? { deny: ['>'] } : { allow: sub },
    allowed_connection_types: ['STANDARD'],
  });
}

/** A user without bounds inside its account: for tests, benchmarks and repair. */
export function adminUserJwt(request: UserRequest): string {
  return sign(request, { allowed_connection_types: ['STANDARD'] });
}

/**
 * A site's user: may only make the leaf connection, so that a stolen file is of no use to an ordinary client.
 * What it may reach is bounded by the imports of the site's account.
 */
export function siteUserJwt(request: UserRequest): string {
  return sign(request, { allowed_connection_types: ['LEAFNODE'] });
}

function sign(request: UserRequest, nats: Record<string, unknown>): string {
  requirePublicKey('user', request.user);
  requirePublicKey('account', request.account);
  return mintJwt({
    name: request.name,
    kind: 'user',
    subject: request.user,
    issuer: request.issuer,
    issuedAtMs: request.issuedAtMs,
    ...(request.expiresAtMs === undefined ? {} : { expiresAtMs: request.expiresAtMs }),
    nats: {
      ...nats,
      // The server takes an absent number for zero: nothing allowed.
      subs: -1,
      data: -1,
      payload: -1,
      // Left out when the account's own key signs: then the issuer is the account.
      ...(request.issuer.publicKey === request.account ? {} : { issuer_account: request.account }),
    },
  });
}
