import { mintJwt } from './jwt.js';
import { requirePublicKey, type NKey } from './nkey.js';

/** Leaf connections of one site. More than one because a new one may arrive before the old one is known dead. */
export const MAX_LEAFS_PER_SITE = 8;
/** Subscriptions of one site at the hub. An agent needs about ten; a flood of them costs the hub memory. */
export const MAX_SUBSCRIPTIONS_PER_SITE = 2_048;

/**
 * The only crossings between the control plane and the sites. The server itself compares the token at
 * `token` (counted from 1) with the importing account's public key, so a site cannot name another.
 */
const CROSSINGS = [
  { name: 'uplink', type: 'service', subject: 'ing.*.>', token: 2 },
  { name: 'downlink', type: 'stream', subject: 'dl.*.>', token: 2 },
  { name: 'requests', type: 'service', subject: 'rpc.*.>', token: 2 },
  { name: 'downlink-reset', type: 'service', subject: '$JS.API.CONSUMER.RESET.DL.*', token: 6 },
  { name: 'downlink-flow', type: 'service', subject: '$JS.FC.DL.*.>', token: 4 },
] as const;

const NO_JETSTREAM = { mem_storage: 0, disk_storage: 0, streams: 0, consumer: 0 };
const ALL_JETSTREAM = {
  mem_storage: -1,
  disk_storage: -1,
  streams: -1,
  consumer: -1,
  max_ack_pending: -1,
  mem_max_stream_bytes: -1,
  disk_max_stream_bytes: -1,
  max_bytes_required: false,
};
const UNBOUNDED = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, conn: -1, leaf: -1 };
const ORDINARY = { ...UNBOUNDED, wildcards: true, disallow_bearer: true };

/** Public key of a revoked user, or `*` for every user, to the moment up to which its tokens are void. */
export type Revocations = Readonly<Record<string, number>>;

interface AccountRequest {
  /** Public key of the account. */
  account: string;
  /** The operator's identity key or one of its signing keys. */
  issuer: NKey;
  /** Public keys (account type) that may sign this account's users. */
  signingKeys?: readonly string[];
  issuedAtMs: number;
  /** Milliseconds since 1970 for each revoked user. */
  revocations?: Revocations;
}

/** The token that a hub server is started with: who may sign accounts, and which account is the system's. */
export function operatorJwt(request: {
  name: string;
  operator: NKey;
  /** Public keys (operator type) that may sign accounts in its stead, so that the operator key stays offline. */
  signingKeys: readonly string[];
  systemAccount: string;
  issuedAtMs: number;
}): string {
  for (const key of request.signingKeys) requirePublicKey('operator', key);
  requirePublicKey('account', request.systemAccount);
  return mintJwt({
    name: request.name,
    kind: 'operator',
    subject: request.operator.publicKey,
    issuer: request.operator,
    issuedAtMs: request.issuedAtMs,
    nats: { signing_keys: request.signingKeys, system_account: request.systemAccount },
  });
}

/** The system account: server events and the pushing of account claims. It exports nothing. */
export function systemAccountJwt(request: AccountRequest): string {
  return accountJwt('SYS', request, { limits: { ...ORDINARY, ...NO_JETSTREAM, leaf: 0 } });
}

/** The control plane's account: unlimited JetStream, and the exports that sites may import their own part of. */
export function cloudAccountJwt(request: AccountRequest): string {
  const exports = CROSSINGS.map(({ name, type, subject, token }) => ({
    name,
    type,
    subject,
    account_token_position: token,
  }));
  return accountJwt('CLOUD', request, { limits: { ...ORDINARY, ...ALL_JETSTREAM, leaf: 0 }, exports });
}

export interface SiteAccountRequest extends AccountRequest {
  /** Site id; it only labels the account, what counts is the account's key. */
  site: string;
  /** Public key of the control plane's account. */
  cloud: string;
  /**
   * True cuts the site off: pushed to the hub it ends the site's connections and refuses new ones, whatever
   * tokens the site holds or gets. Pushing the claims without it lets the site in again with the tokens it has.
   */
  suspended?: boolean;
}

/**
 * A site's account at the hub. It has no JetStream there. Local subjects: `up.>` is its uplink, `dl.>` its
 * downlink, `rpc.>` its requests to the control plane.
 */
export function siteAccountJwt(request: SiteAccountRequest): string {
  requirePublicKey('account', request.cloud);
  const name = `SITE_${request.site}`;
  if (request.suspended === true) {
    // Revoking alone would admit a token that is newer than the revocation, hence no leaf and no imports either.
    const limits = { ...ORDINARY, ...NO_JETSTREAM, conn: 0, leaf: 0 };
    const revocations = { ...request.revocations, '*': request.issuedAtMs };
    return accountJwt(name, { ...request, revocations }, { limits });
  }
  // `conn: 0` would kick the leaf at every later push of the claims, so users are held to leaf connections.
  const bounds = { leaf: MAX_LEAFS_PER_SITE, subs: MAX_SUBSCRIPTIONS_PER_SITE, exports: 0 };
  const limits = { ...ORDINARY, ...NO_JETSTREAM, ...bounds };
  return accountJwt(name, request, { limits, imports: siteImports(request.account, request.cloud) });
}

/** The request that makes the hub forget accounts: payload of `$SYS.REQ.CLAIMS.DELETE`. */
export function deleteAccountsJwt(request: {
  accounts: readonly string[];
  issuer: NKey;
  issuedAtMs: number;
}): string {
  for (const account of request.accounts) requirePublicKey('account', account);
  return mintJwt({
    name: 'delete-accounts',
    kind: 'generic',
    subject: request.issuer.publicKey,
    issuer: request.issuer,
    issuedAtMs: request.issuedAtMs,
    nats: { accounts: request.accounts },
  });
}

function siteImports(site: string, cloud: string): unknown[] {
  const reset = `CONSUMER.RESET.DL.${site}`;
  const local: Record<(typeof CROSSINGS)[number]['name'], { subject: string; local_subject: string }> = {
    uplink: { subject: `ing.${site}.>`, local_subject: 'up.>' },
    downlink: { subject: `dl.${site}.>`, local_subject: 'dl.>' },
    requests: { subject: `rpc.${site}.>`, local_subject: 'rpc.>' },
    // Not under `$JS.API`, which a leaf connection between two JetStream domains does not carry.
    'downlink-reset': { subject: `$JS.API.${reset}`, local_subject: `JSC.API.${reset}` },
    'downlink-flow': { subject: `$JS.FC.DL.${site}.>`, local_subject: `$JS.FC.DL.${site}.>` },
  };
  return CROSSINGS.map(({ name, type }) => ({ name, type, account: cloud, ...local[name] }));
}

function accountJwt(name: string, request: AccountRequest, nats: Record<string, unknown>): string {
  requirePublicKey('account', request.account);
  for (const key of request.signingKeys ?? []) requirePublicKey('account', key);
  const revoked = Object.entries(request.revocations ?? {}).map(
    ([user, untilMs]) => [user, Math.floor(untilMs / 1000)] as const,
  );
  return mintJwt({
    name,
    kind: 'account',
    subject: request.account,
    issuer: request.issuer,
    issuedAtMs: request.issuedAtMs,
    nats: {
      ...nats,
      signing_keys: request.signingKeys ?? [],
      ...(revoked.length === 0 ? {} : { revocations: Object.fromEntries(revoked) }),
    },
  });
}
