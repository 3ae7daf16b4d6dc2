import { decodeJwt, mintJwt } from './jwt.js';
import { isPublicKey, type NKey } from './nkey.js';
import type { Permissions } from './users.js';

/** Longest name and password that are looked at. */
const MAX_CHARS = 300;

/** A login that a server leaves to somebody else. */
export interface Login {
  /** Public key of the server, and the number of the connection there. */
  server: string;
  connection: number;
  /** Key that the server has made for this login. */
  userKey: string;
  user: string;
  /** A secret. */
  password: string;
}

/** What a server asks about a login; undefined when that is not what it is. Who sent it is not looked at: the server lets nobody else. */
export function readLogin(token: string): Login | undefined {
  const read = decodeJwt(token);
  if (!read.ok || read.claims.kind !== 'authorization_request') return undefined;
  const { server_id: at, user_nkey: userKey, client_info: client, connect_opts: given } = read.claims.nats;
  const [server, connection] = [memberOf(at, 'id'), memberOf(client, 'id')];
  const [user, password] = [memberOf(given, 'user') ?? '', memberOf(given, 'pass') ?? ''];
  if (typeof server !== 'string' || !Number.isSafeInteger(connection)) return undefined;
  if (typeof userKey !== 'string' || !isPublicKey('user', userKey)) return undefined;
  if (!isShort(user) || !isShort(password)) return undefined;
  return { server, connection: Number(connection), userKey, user, password };
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([n]) => n === name)?.[1]
    : undefined;
}

function isShort(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_CHARS;
}

export interface Admission {
  /** Account of the server's configuration. */
  account: string;
  /** How the server calls the user in its lists of connections. */
  name: string;
  permissions: Permissions;
  /** For how long a message may be answered that asks for it, once; ms. */
  answerMs: number;
  subscriptions: number;
}

/** Lets a login in as a user who may use these subjects only, as an ordinary client. */
export function admitLogin(
  login: Login,
  by: { issuer: NKey; nowMs: number },
  { account, name, permissions, answerMs, subscriptions }: Admission,
): string {
  const jwt = mintJwt({
    name,
    kind: 'user',
    subject: login.userKey,
    audience: account,
    issuer: by.issuer,
    issuedAtMs: by.nowMs,
    nats: {
      pub: { allow: permissions.pub },
      sub: { allow: permissions.sub },
      resp: { max: 1, ttl: answerMs * 1_000_000 },
      allowed_connection_types: ['STANDARD'],
      subs: subscriptions,
      data: -1,
      payload: -1,
    },
  });
  return answerOf(login, by, { jwt });
}

/** Lets it not in. The reason goes into the server's log; the client hears that it is not authorized. */
export function refuseLogin(login: Login, by: { issuer: NKey; nowMs: number }, reason: string): string {
  return answerOf(login, by, { error: reason });
}

function answerOf(
  { userKey, server }: Login,
  { issuer, nowMs }: { issuer: NKey; nowMs: number },
  nats: Record<string, unknown>,
): string {
  const name = 'login';
  const kind = 'authorization_response' as const;
  return mintJwt({ name, kind, subject: userKey, audience: server, issuer, issuedAtMs: nowMs, nats });
}
