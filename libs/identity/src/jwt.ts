import { createHash } from 'node:crypto';
import { encodeBase32 } from './base32.js';
import { verifySignature, type NKey } from './nkey.js';

const HEADER = Buffer.from(JSON.stringify({ typ: 'JWT', alg: 'ed25519-nkey' })).toString('base64url');
/** Longest token that is looked at. Account claims of Skerry stay below 4 KiB. */
const MAX_TOKEN_BYTES = 64 * 1024;

/**
 * The kinds of NATS JWT v2 that are used here. `generic` carries the deletion of accounts; a server that leaves a login to somebody
 * else sends him an `authorization_request`, and gets an `authorization_response`.
 */
const KINDS = [
  'operator',
  'account',
  'user',
  'generic',
  'authorization_request',
  'authorization_response',
] as const;
export type JwtKind = (typeof KINDS)[number];

/** What to put into a token. Times are milliseconds since 1970 and are cut to whole seconds. */
export interface JwtRequest {
  name: string;
  kind: JwtKind;
  /** Public key that the token speaks about. */
  subject: string;
  /** Whom it is for, where that is asked for. */
  audience?: string;
  issuer: NKey;
  /** The `nats` object without `type` and `version`. */
  nats: Readonly<Record<string, unknown>>;
  issuedAtMs: number;
  /** None means that it does not expire. */
  expiresAtMs?: number;
}

/** A token's content. Times in milliseconds since 1970. */
export interface JwtClaims {
  id: string;
  name: string;
  kind: JwtKind;
  subject: string;
  issuer: string;
  issuedAtMs: number;
  expiresAtMs?: number;
  nats: Readonly<Record<string, unknown>>;
}

export type JwtCheck = { ok: true; claims: JwtClaims } | { ok: false; reason: string };

/**
 * Signs a NATS JWT v2 (https://docs.nats.io/running-a-nats-service/configuration/securing_nats/jwt). Its id
 * is the digest of its content, so the same request always gives the same token.
 */
export function mintJwt(request: JwtRequest): string {
  const unsigned = {
    iat: toSeconds(request.issuedAtMs),
    iss: request.issuer.publicKey,
    name: request.name,
    sub: request.subject,
    ...(request.audience === undefined ? {} : { aud: request.audience }),
    nats: { ...request.nats, type: request.kind, version: 2 },
    ...(request.expiresAtMs === undefined ? {} : { exp: toSeconds(request.expiresAtMs) }),
  };
  const jti = encodeBase32(createHash('sha512-256').update(JSON.stringify(unsigned)).digest());
  const body = `${HEADER}.${Buffer.from(JSON.stringify({ ...unsigned, jti })).toString('base64url')}`;
  return `${body}.${request.issuer.sign(body).toString('base64url')}`;
}

/**
 * Reads a token and checks its signature and expiry. Whether the issuer is to be trusted is for the caller
 * to say: pass `issuers` (public keys) to have it checked here.
 */
export function verifyJwt(token: string, at: { nowMs: number; issuers?: readonly string[] }): JwtCheck {
  const read = decodeJwt(token);
  if (!read.ok) return read;
  const { claims } = read;
  const cut = token.lastIndexOf('.');
  const signature = Buffer.from(token.slice(cut + 1), 'base64url');
  if (!verifySignature(claims.issuer, token.slice(0, cut), signature))
    return refuse('its signature is wrong');
  if (at.issuers !== undefined && !at.issuers.includes(claims.issuer)) {
    return refuse('its issuer is not trusted');
  }
  if (claims.expiresAtMs !== undefined && claims.expiresAtMs <= at.nowMs) {
    return refuse(`it expired at ${new Date(claims.expiresAtMs).toISOString()}`);
  }
  return read;
}

/** Reads a token's content WITHOUT checking who signed it or whether it is still valid. */
export function decodeJwt(token: string): JwtCheck {
  if (token.length > MAX_TOKEN_BYTES) return refuse('it is too long');
  const [header, body, signature, ...rest] = token.split('.');
  if (header === undefined || body === undefined || signature === undefined || rest.length > 0) {
    return refuse('it is not a JWT');
  }
  const head = parseObject(header);
  if (head?.['alg'] !== 'ed25519-nkey') return refuse('it is not signed by an nkey');
  return readClaims(parseObject(body) ?? {});
}

function readClaims(raw: Readonly<Record<string, unknown>>): JwtCheck {
  const { jti, name, sub, iss, iat, exp, nats } = raw;
  if (typeof sub !== 'string' || typeof iss !== 'string' || typeof iat !== 'number' || !isRecord(nats)) {
    return refuse('a claim is missing');
  }
  if (exp !== undefined && typeof exp !== 'number') return refuse('its expiry is not a number');
  const kind = nats['type'];
  if (!isKind(kind) || nats['version'] !== 2) return refuse('it is not a NATS JWT of version 2');
  const expiry = exp === undefined || exp === 0 ? {} : { expiresAtMs: exp * 1000 };
  const [id, label] = [typeof jti === 'string' ? jti : '', typeof name === 'string' ? name : ''];
  const who = { id, name: label, kind, subject: sub, issuer: iss };
  return { ok: true, claims: { ...who, issuedAtMs: iat * 1000, ...expiry, nats } };
}

function refuse(reason: string): { ok: false; reason: string } {
  return { ok: false, reason };
}

function isKind(value: unknown): value is JwtKind {
  return KINDS.some((kind) => kind === value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(base64url: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64url, 'base64url').toString('utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined; // Not JSON: the caller says what is wrong.
  }
}

function toSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}
