import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SiteDescription } from '@skerry/contracts';
import {
  issueSiteCertificate,
  makeCertificateRequest,
  makePrivateKey,
  NKey,
  type NKeyType,
  readPrivateFile,
  readSeed,
  siteAccountKey,
  siteConfig,
  siteUserJwt,
  writeCreds,
  writePrivateFile,
  writeSeed,
  type CloudIdentity,
} from '@skerry/identity';
import type { CloudFile } from './cloud-file.js';
import { isMissing } from './missing.js';
import type { CloudPaths } from './paths.js';

const DAY_MS = 86_400_000;
/** Made anew by each start. Sites that joined over the network have shorter ones and renew them by themselves. */
const LOCAL_CREDENTIALS_MS = 30 * DAY_MS;
const SITE_STORE_BYTES = 2 * 1024 ** 3;
const SITE_MEMORY_BYTES = 64 * 1024 ** 2;
/** Each local site hands out ports of its own range. Below what Linux gives to outgoing connections. */
const FIRST_REPLICA_PORT = 20_000;
const REPLICA_PORTS_PER_SITE = 1_000;
/** What each of the local sites offers: they share one machine, and pretend to be four. */
const LOCAL_CAPACITY = { cpuMillicores: 4_000, memoryMiB: 4_096, diskMiB: 16_384 };

export interface BootstrapSite {
  description: SiteDescription;
  account: string;
  userKey: string;
}

/** Makes what a site of this machine needs to run: its own keys (once), its certificate and its credentials (at each start). */
export async function writeSiteFolder(
  paths: CloudPaths,
  identity: CloudIdentity,
  cloud: CloudFile,
  site: CloudFile['sites'][number],
): Promise<BootstrapSite> {
  const { name } = site.description;
  const folder = paths.site(name);
  await mkdir(join(folder, 'tls'), { recursive: true, mode: 0o700 });
  const account = await siteAccountKey(paths.identity, name);
  const user = await keyOf(join(folder, 'user.seed'));
  await keyOf(join(folder, 'operator.seed'));
  const logins = await keyOf(join(folder, 'logins.seed'), 'account');
  const nowMs = Date.now();
  const jwt = siteUserJwt({
    name: `leaf-${name}`,
    user: user.publicKey,
    account: account.publicKey,
    issuer: account,
    issuedAtMs: nowMs,
    expiresAtMs: nowMs + LOCAL_CREDENTIALS_MS,
  });
  await writeCreds(join(folder, 'leaf.creds'), jwt, user);
  const keyPem = await privateKeyOf(join(folder, 'tls', 'leaf.key'));
  const csrPem = await makeCertificateRequest({ site: name, keyPem });
  await writePrivateFile(
    join(folder, 'tls', 'leaf.crt'),
    await issueSiteCertificate(identity.sitesCa, { site: name, csrPem, nowMs }),
  );
  await writePrivateFile(join(folder, 'tls', 'ca.crt'), identity.serversCa.certPem);
  for (let node = 1; node <= (site.nodes ?? 1); node++) {
    const own = paths.node(name, node);
    await mkdir(own, { recursive: true, mode: 0o700 });
    await keyOf(join(own, 'agent.seed'));
    await keyOf(join(own, 'local.seed'));
    await writeSeed(join(own, 'logins.seed'), logins);
    const file = siteFile(cloud, site, { account: account.publicKey, node });
    await writePrivateFile(join(own, 'site.json'), `${JSON.stringify(file, null, 2)}\n`);
  }
  return { description: site.description, account: account.publicKey, userKey: user.publicKey };
}

function siteFile(
  cloud: CloudFile,
  site: CloudFile['sites'][number],
  { account, node }: { account: string; node: number },
): unknown {
  const ports = Math.floor(REPLICA_PORTS_PER_SITE / (site.nodes ?? 1));
  const from = FIRST_REPLICA_PORT + cloud.sites.indexOf(site) * REPLICA_PORTS_PER_SITE + (node - 1) * ports;
  return {
    site: site.description.name,
    node: `${site.description.name}-${node}`,
    account,
    server: { host: '127.0.0.1', port: site.port },
    address: '127.0.0.1',
    allocatable: LOCAL_CAPACITY,
    portRange: { from, to: from + ports - 1 },
  };
}

/** Writes the configuration of a site's leaf server; `hubUrls` may lead through delaying relays. */
export async function writeLeafConfig(
  paths: CloudPaths,
  cloud: CloudFile,
  site: string,
  hubUrls: readonly string[],
): Promise<void> {
  const entry = cloud.sites.find((s) => s.description.name === site);
  if (entry === undefined) throw new Error(`this cloud has no site ${site}`);
  const folder = paths.site(site);
  const nodes = Array.from({ length: entry.nodes ?? 1 }, (_, i) => paths.node(site, i + 1));
  const agents = await Promise.all(nodes.map((node) => readSeed(join(node, 'agent.seed'))));
  const locals = await Promise.all(nodes.map((node) => readSeed(join(node, 'local.seed'))));
  const operator = await readSeed(join(folder, 'operator.seed'));
  const logins = await readSeed(join(folder, 'logins.seed'));
  const tls = (name: string) => join(folder, 'tls', name);
  const text = siteConfig({
    site,
    client: { host: '127.0.0.1', port: entry.port },
    monitoring: { host: '127.0.0.1', port: entry.monitor },
    jetstream: {
      storeDir: join(folder, 'jetstream'),
      maxMemoryBytes: SITE_MEMORY_BYTES,
      maxFileBytes: SITE_STORE_BYTES,
    },
    users: {
      agent: agents.map((a) => a.publicKey),
      operator: operator.publicKey,
      local: locals.map((l) => l.publicKey),
    },
    logins: logins.publicKey,
    leaf: {
      urls: hubUrls,
      credsFile: join(folder, 'leaf.creds'),
      tls: { certFile: tls('leaf.crt'), keyFile: tls('leaf.key'), caFile: tls('ca.crt') },
    },
  });
  await writePrivateFile(join(folder, 'leaf.conf'), text);
}

async function keyOf(path: string, type: NKeyType = 'user'): Promise<NKey> {
  return readSeed(path).catch(async (cause: unknown) => {
    if (!isMissing(cause)) throw cause;
    const key = NKey.create(type);
    await writeSeed(path, key);
    return key;
  });
}

async function privateKeyOf(path: string): Promise<string> {
  return readPrivateFile(path).catch(async (cause: unknown) => {
    if (!isMissing(cause)) throw cause;
    const pem = makePrivateKey();
    await writePrivateFile(path, pem);
    return pem;
  });
}
