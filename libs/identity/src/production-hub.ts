import { isIP } from 'node:net';
import { join } from 'node:path';
import { makeApiToken } from './api-token.js';
import { APP_USERS } from './app-users.js';
import { issueServerCertificate, makePrivateKey } from './certificates.js';
import {
  foundCloudIdentity,
  hasCloudIdentity,
  loadCloudIdentity,
  type CloudIdentity,
} from './cloud-identity.js';
import { credsText } from './creds.js';
import { hubConfig } from './hub-config.js';
import { NKey } from './nkey.js';
import { createPrivateFile, isThere, readPrivateFile, writePrivateFile } from './private-file.js';
import { listenText, requireName } from './server-options.js';
import { userJwt } from './users.js';

const DAY_MS = 86_400_000;
const GIB = 1_024 ** 3;
/** Life of the first admin's token. */
const ADMIN_TOKEN_DAYS = 90;

/** One server of a hub in production: its name, and the DNS name or address under which all others reach it. */
export interface HubServer {
  name: string;
  host: string;
  /** Address of its own to listen on. Default: every one. */
  bind?: string;
}

/** A hub in production: one server, or three in separate failure domains. */
export interface HubPlan {
  /** Name of the cloud and of the servers' cluster. */
  name: string;
  servers: readonly HubServer[];
  /** Folder on each server that holds `nats.conf` and `tls/`. Default `/etc/skerry`. */
  folder?: string;
  /** Folder on each server for streams and pushed claims. Default `/var/lib/skerry/hub`. */
  store?: string;
  ports?: { client: number; routes: number; leaf: number; monitoring: number };
  /** Names and addresses under which new machines reach the api's join endpoint. Default: the servers' hosts. */
  joinHosts?: readonly string[];
}

const PORTS = { client: 4222, routes: 6222, leaf: 7422, monitoring: 8222 };

/** What a server's configuration says of the cloud's keys: no secret is among it. */
export interface HubClaims {
  operatorJwt: string;
  systemAccount: string;
  accounts: Readonly<Record<string, string>>;
}

/** The `nats.conf` of one server of the plan. */
export function hubServerConfig(plan: HubPlan, server: HubServer, claims: HubClaims): string {
  const { folder = '/etc/skerry', store = '/var/lib/skerry/hub', ports = PORTS } = plan;
  const host = server.bind ?? '0.0.0.0';
  const tls = (caFile: string) => ({
    certFile: join(folder, 'tls', 'server.crt'),
    keyFile: join(folder, 'tls', 'server.key'),
    caFile: join(folder, 'tls', caFile),
  });
  const reached = (port: number): string => listenText({ host: server.host, port });
  const cluster = {
    name: requireName('cloud', plan.name),
    host,
    port: ports.routes,
    advertise: reached(ports.routes),
    routes: plan.servers.map((each) => `tls://${listenText({ host: each.host, port: ports.routes })}`),
    tls: tls('servers-ca.crt'),
  };
  return hubConfig({
    ...claims,
    serverName: server.name,
    client: { host, port: ports.client, advertise: reached(ports.client), tls: tls('servers-ca.crt') },
    monitoring: { host: server.bind ?? '127.0.0.1', port: ports.monitoring },
    resolverDir: join(store, 'accounts'),
    jetstream: { storeDir: join(store, 'jetstream'), maxMemoryBytes: GIB, maxFileBytes: 64 * GIB },
    leaf: { host, port: ports.leaf, tls: tls('sites-ca.crt') },
    ...(plan.servers.length === 1 ? {} : { cluster }),
  });
}

/**
 * Makes everything that a hub in production needs, below `dir` (files 0600):
 *
 *     identity/               the cloud's keys, for policy; `operator.seed` goes to a safe
 *     servers/<name>/         nats.conf and tls/, to be copied to that server's `folder`
 *     creds/<user>.creds      one per app, for policy's second user and for people
 *     join/join.{crt,key}     of the api's join endpoint
 *     bootstrap.json          for policy: the first admin's token, hashed
 *     admin.token             that token; goes into the first admin's context
 *
 * Run again it keeps the keys, creds and the token, and renews the certificates and configurations: so it also adds a server.
 */
export async function writeHubFolder(dir: string, plan: HubPlan, nowMs: number): Promise<CloudIdentity> {
  requirePlan(plan);
  const folder = join(dir, 'identity');
  const identity = (await hasCloudIdentity(folder))
    ? await loadCloudIdentity(folder)
    : await foundCloudIdentity(folder, { name: plan.name, nowMs });
  for (const server of plan.servers) await writeServer(dir, plan, server, { identity, nowMs });
  const hosts = plan.joinHosts ?? plan.servers.map(({ host }) => host);
  await writePair(join(dir, 'join', 'join'), { name: 'join', hosts, identity, nowMs });
  await writeUsers(join(dir, 'creds'), identity, nowMs);
  await writeAdmin(dir, nowMs);
  return identity;
}

interface Making {
  identity: CloudIdentity;
  nowMs: number;
}

async function writeServer(dir: string, plan: HubPlan, server: HubServer, making: Making): Promise<void> {
  const { identity } = making;
  const folder = join(dir, 'servers', server.name);
  const [system, cloud] = [identity.systemAccount.publicKey, identity.cloudAccount.publicKey];
  const claims = {
    operatorJwt: identity.operatorJwt,
    systemAccount: system,
    accounts: { [system]: identity.systemAccountJwt, [cloud]: identity.cloudAccountJwt },
  };
  await writePrivateFile(join(folder, 'nats.conf'), hubServerConfig(plan, server, claims));
  await writePrivateFile(join(folder, 'tls', 'servers-ca.crt'), identity.serversCa.certPem);
  await writePrivateFile(join(folder, 'tls', 'sites-ca.crt'), identity.sitesCa.certPem);
  await writePair(join(folder, 'tls', 'server'), { name: server.name, hosts: [server.host], ...making });
}

/** `<path>.crt` and `<path>.key`. A key that is there is certified again: others may have pinned it. */
async function writePair(
  path: string,
  request: Making & { name: string; hosts: readonly string[] },
): Promise<void> {
  await createPrivateFile(`${path}.key`, makePrivateKey());
  const { certPem } = await issueServerCertificate(request.identity.serversCa, {
    name: request.name,
    nowMs: request.nowMs,
    keyPem: await readPrivateFile(`${path}.key`),
    dnsNames: request.hosts.filter((host) => isIP(host) === 0),
    ipAddresses: request.hosts.filter((host) => isIP(host) !== 0),
  });
  await writePrivateFile(`${path}.crt`, certPem);
}

/** Creds that are there stay: their users are in use. To exchange one, remove its file first. */
async function writeUsers(folder: string, identity: CloudIdentity, issuedAtMs: number): Promise<void> {
  for (const [name, { account, permissions }] of Object.entries(APP_USERS)) {
    if (name === 'admin') continue; // Without bounds: nobody needs it every day.
    const user = NKey.create('user');
    const [of, issuer] =
      account === 'SYS'
        ? [identity.systemAccount.publicKey, identity.systemAccount]
        : [identity.cloudAccount.publicKey, identity.cloudSigning];
    const jwt = userJwt({ name, user: user.publicKey, account: of, issuer, issuedAtMs, permissions });
    await createPrivateFile(join(folder, `${name}.creds`), credsText(jwt, user));
  }
}

/** The record goes first: a token without one would be of no use and would never be made again. */
async function writeAdmin(dir: string, nowMs: number): Promise<void> {
  const path = join(dir, 'admin.token');
  if (await isThere(path)) return;
  const expiresAtMs = nowMs + ADMIN_TOKEN_DAYS * DAY_MS;
  const { token, record } = makeApiToken({ subject: 'admin', role: 'admin', nowMs, expiresAtMs });
  const bootstrap = { tokens: [record], sites: [] };
  await writePrivateFile(join(dir, 'bootstrap.json'), `${JSON.stringify(bootstrap, null, 2)}\n`);
  await writePrivateFile(path, `${token}\n`);
}

function requirePlan(plan: HubPlan): void {
  requireName('cloud', plan.name);
  const { length } = plan.servers;
  // Two servers lose their majority with either one: worse than one.
  if (length !== 1 && length !== 3) throw new Error(`a hub has one server or three, not ${length}`);
  for (const { name, host } of plan.servers) {
    requireName('server name', name);
    if (!/^[A-Za-z0-9.:-]{1,253}$/.test(host))
      throw new Error(`not a host: ${JSON.stringify(host.slice(0, 80))}`);
  }
  if (new Set(plan.servers.map(({ name }) => name)).size !== length)
    throw new Error('two servers have one name');
}
