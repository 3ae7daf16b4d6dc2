import { networkInterfaces, hostname } from 'node:os';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { apiTokenSchema, parse, type ApiToken, type SiteDescription } from '@skerry/contracts';
import {
  APP_USERS,
  foundCloudIdentity,
  hasCloudIdentity,
  hubConfig,
  issueServerCertificate,
  loadCloudIdentity,
  makeApiToken,
  NKey,
  readPrivateFile,
  siteAccountJwt,
  siteAccountKey,
  userJwt,
  writeCreds,
  writePrivateFile,
  type CloudIdentity,
} from '@skerry/identity';
import {
  chooseCluster,
  choosePorts,
  hubServers,
  hubUrls,
  readCloudFile,
  writeCloudFile,
  type CloudFile,
  type HubServer,
} from './cloud-file.js';
import { isMissing } from './missing.js';
import { freePorts } from './ports.js';
import type { CloudPaths } from './paths.js';
import { writeSiteFolder } from './site-folder.js';

const DAY_MS = 86_400_000;
/** The CLI's token is made anew by each start when it has less than half of this left. */
const TOKEN_LIFETIME_MS = 90 * DAY_MS;
const HUB_STORE_BYTES = 16 * 1024 ** 3;
const HUB_MEMORY_BYTES = 256 * 1024 ** 2;

export interface Founded {
  cloud: CloudFile;
  identity: CloudIdentity;
  /** True when there was none before. */
  isNew: boolean;
}

export interface FoundOptions {
  sites: readonly SiteDescription[];
  ports: 'fixed' | 'ephemeral';
  listen: string;
  /** Servers of the hub. */
  hub: 1 | 3;
  /** Nodes of a site; default 1. */
  nodes?: ((site: string) => number) | undefined;
}

/** The cloud in a folder: read when there is one, made when there is none. Making it again after a crash goes on where it stopped. */
export async function foundCloud(paths: CloudPaths, options: FoundOptions): Promise<Founded> {
  const known = await readCloudFile(paths.cloudFile);
  const identity = (await hasCloudIdentity(paths.identity))
    ? await loadCloudIdentity(paths.identity)
    : await foundCloudIdentity(paths.identity, { name: 'skerry', nowMs: Date.now() });
  const cloud = known ?? (await newCloud(options));
  await writeUsers(paths, identity);
  const token = await writeContext(paths, cloud);
  const sites = await Promise.all(cloud.sites.map((site) => writeSiteFolder(paths, identity, cloud, site)));
  await writePrivateFile(paths.bootstrap, `${JSON.stringify({ tokens: [token], sites }, null, 2)}\n`);
  if (known === undefined) await writeCloudFile(paths.cloudFile, cloud);
  return { cloud, identity, isNew: known === undefined };
}

async function newCloud(options: FoundOptions): Promise<CloudFile> {
  const ports = await freePorts(options.sites.length * 2);
  const sites = options.sites.map((description, i) => ({
    description,
    port: ports[2 * i] ?? 0,
    monitor: ports[2 * i + 1] ?? 0,
    nodes: options.nodes?.(description.name) ?? 1,
  }));
  const own = await choosePorts(options.ports, ports);
  const cluster = options.hub === 1 ? undefined : await chooseCluster([...ports, ...Object.values(own)]);
  return {
    format: 1,
    createdAt: new Date().toISOString(),
    listen: options.listen,
    ports: own,
    ...(cluster === undefined ? {} : { cluster }),
    sites,
  };
}

/** One user of the bus for each app and for people, each with the subjects it needs; and policy's in the system account. */
async function writeUsers(paths: CloudPaths, identity: CloudIdentity): Promise<void> {
  const issuedAtMs = Date.now();
  for (const [name, { account, permissions }] of Object.entries(APP_USERS)) {
    // Nothing runs with it, so nobody holds it.
    if (name === 'admin') continue;
    const user = NKey.create('user');
    const issuer = account === 'SYS' ? identity.systemAccount : identity.cloudSigning;
    const of = account === 'SYS' ? identity.systemAccount.publicKey : identity.cloudAccount.publicKey;
    const jwt = userJwt({ name, user: user.publicKey, account: of, issuer, issuedAtMs, permissions });
    await writeCreds(paths.creds(name), jwt, user);
  }
}

/** The CLI's context, and the record by which the api knows its token: kept while at least half of its life is left. */
async function writeContext(paths: CloudPaths, cloud: CloudFile): Promise<ApiToken> {
  const now = Date.now();
  const recordFile = join(paths.identity, 'local-token.json');
  const known = await knownToken(recordFile, paths.context);
  if (known !== undefined && Date.parse(known.expiresAt) - now > TOKEN_LIFETIME_MS / 2) return known;
  const { token, record } = makeApiToken({
    subject: 'local-admin',
    role: 'admin',
    nowMs: now,
    expiresAtMs: now + TOKEN_LIFETIME_MS,
  });
  const context = {
    name: 'local',
    url: `http://127.0.0.1:${cloud.ports.api}`,
    token,
    natsUrl: hubUrls(cloud).join(','),
    operatorCreds: paths.creds('operator'),
  };
  await writePrivateFile(paths.context, `${JSON.stringify(context, null, 2)}\n`);
  await writePrivateFile(recordFile, `${JSON.stringify(record)}\n`);
  return record;
}

async function knownToken(recordFile: string, contextFile: string): Promise<ApiToken | undefined> {
  const texts = await Promise.all(
    [recordFile, contextFile].map((f) => readFile(f, 'utf8').catch(() => undefined)),
  );
  const [record, context] = texts;
  if (record === undefined || context === undefined) return undefined;
  const parsed = parse(apiTokenSchema, jsonOrNothing(record));
  // One that was made before tokens could sign is exchanged.
  const signs = parsed.ok && parsed.value.offlineKey !== undefined;
  return signs && context.includes(parsed.value.id) ? parsed.value : undefined;
}

/** A damaged record is as good as none: a new token is made. */
function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Writes the configuration of each server of the hub and, for all of them, a fresh certificate for every address this machine has, so that a site may dial any of them. */
export async function writeHub(paths: CloudPaths, founded: Founded): Promise<void> {
  const { cloud, identity, isNew } = founded;
  const addresses = Object.values(networkInterfaces()).flatMap((i) =>
    (i ?? []).map((a) => a.address.split('%')[0] ?? ''),
  );
  const given = cloud.listen === '0.0.0.0' ? [] : [cloud.listen];
  const file = (name: string) => join(paths.hubTls, name);
  // The key stays: sites that joined over the network know the hub by it.
  const known = await readPrivateFile(file('hub.key')).catch((cause: unknown) => {
    if (isMissing(cause)) return undefined;
    throw cause;
  });
  const server = await issueServerCertificate(identity.serversCa, {
    ...(known === undefined ? {} : { keyPem: known }),
    name: 'hub',
    nowMs: Date.now(),
    dnsNames: ['localhost', hostname().toLowerCase()],
    ipAddresses: [...new Set(['127.0.0.1', ...given, ...addresses])],
  });
  await writePrivateFile(file('hub.crt'), server.certPem);
  await writePrivateFile(file('hub.key'), server.keyPem);
  await writePrivateFile(file('sites-ca.crt'), identity.sitesCa.certPem);
  await writePrivateFile(file('servers-ca.crt'), identity.serversCa.certPem);
  const accounts = {
    [identity.systemAccount.publicKey]: identity.systemAccountJwt,
    [identity.cloudAccount.publicKey]: identity.cloudAccountJwt,
    // Policy pushes them too; a new hub that knows them from the start lets the sites in some seconds sooner.
    ...(isNew ? await siteAccounts(paths, cloud, identity) : {}),
  };
  for (const one of hubServers(cloud))
    await writePrivateFile(paths.hubConfig(one.name), serverConfig(paths, founded, one, accounts));
}

function serverConfig(
  paths: CloudPaths,
  { cloud, identity }: Founded,
  server: HubServer,
  accounts: Readonly<Record<string, string>>,
): string {
  const folder = paths.hubServer(server.name);
  const tls = (caFile: string) => ({
    certFile: join(paths.hubTls, 'hub.crt'),
    keyFile: join(paths.hubTls, 'hub.key'),
    caFile: join(paths.hubTls, caFile),
  });
  const { routes } = server;
  const cluster =
    routes === undefined
      ? {}
      : {
          cluster: {
            name: 'skerry',
            host: '127.0.0.1',
            port: routes,
            routes: (cloud.cluster?.routes ?? []).map((port) => `tls://127.0.0.1:${port}`),
            tls: tls('servers-ca.crt'),
          },
        };
  return hubConfig({
    serverName: server.name,
    client: { host: '127.0.0.1', port: server.client },
    monitoring: { host: '127.0.0.1', port: server.monitor },
    operatorJwt: identity.operatorJwt,
    systemAccount: identity.systemAccount.publicKey,
    resolverDir: join(folder, 'accounts'),
    accounts,
    jetstream: {
      storeDir: join(folder, 'jetstream'),
      maxMemoryBytes: HUB_MEMORY_BYTES,
      maxFileBytes: HUB_STORE_BYTES,
    },
    leaf: { host: cloud.listen, port: server.leaf, tls: tls('sites-ca.crt') },
    ...cluster,
  });
}

async function siteAccounts(
  paths: CloudPaths,
  cloud: CloudFile,
  identity: CloudIdentity,
): Promise<Record<string, string>> {
  const entries = cloud.sites.map(async ({ description }) => {
    const { publicKey } = await siteAccountKey(paths.identity, description.name);
    const jwt = siteAccountJwt({
      site: description.name,
      account: publicKey,
      cloud: identity.cloudAccount.publicKey,
      issuer: identity.operatorSigning,
      issuedAtMs: Date.now(),
    });
    return [publicKey, jwt] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
