import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credsAuthenticator, nkeyAuthenticator } from '@nats-io/nats-core';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import {
  APP_USERS,
  NKey,
  adminUserJwt,
  cloudAccountJwt,
  credsText,
  hubConfig,
  issueServerCertificate,
  issueSiteCertificate,
  makeCa,
  makeCertificateRequest,
  makePrivateKey,
  operatorJwt,
  siteAccountJwt,
  siteConfig,
  siteUserJwt,
  systemAccountJwt,
  userJwt,
  writeCreds,
  writePrivateFile,
  type AppUser,
  type KeyAndCertificate,
  type Permissions,
} from '@skerry/identity';
import { freePorts } from '@skerry/local';
import { findNatsServer } from '@skerry/nats-server';

const HOST = '127.0.0.1';
const DEADLINE_MS = 20_000;

/** One site of a test cloud: its server, and everything that an attacker who owns the site would hold. */
export interface SecuredSite {
  name: string;
  account: string;
  agent: NKey;
  reader: NKey;
  /** User of the account that is bound to nothing, and what it lets applications in with. */
  local: NKey;
  logins: NKey;
  leafUser: NKey;
  credsFile: string;
  tls: { certFile: string; keyFile: string; caFile: string };
  port: number;
  monitoringPort: number;
}

/** A hub server and sites' leaf servers in operator mode with mutual TLS on loopback, for tests. */
export class SecuredCloud {
  readonly operator = NKey.create('operator');
  readonly operatorSigner = NKey.create('operator');
  readonly system = NKey.create('account');
  readonly cloud = NKey.create('account');
  readonly cloudSigner = NKey.create('account');
  readonly siteSigner = NKey.create('account');
  readonly sites = new Map<string, SecuredSite>();
  hubPort = 0;
  hubMonitoringPort = 0;
  leafPort = 0;
  private readonly processes = new Set<ChildProcess>();
  private hub: ChildProcess | undefined;
  private readonly connections = new Set<NatsConnection>();

  private constructor(
    readonly folder: string,
    readonly serverCa: KeyAndCertificate,
    readonly siteCa: KeyAndCertificate,
  ) {}

  /** Brings up the hub and one leaf server per name, all connected. */
  static async start(siteNames: readonly string[]): Promise<SecuredCloud> {
    const nowMs = Date.now();
    const folder = await mkdtemp(join(tmpdir(), 'skerry-identity-'));
    const authorities = [makeCa({ name: 'servers', nowMs }), makeCa({ name: 'sites', nowMs })] as const;
    const cloud = new SecuredCloud(folder, await authorities[0], await authorities[1]);
    try {
      await cloud.startHub(siteNames);
      for (const name of siteNames) await cloud.startSite(name);
      return cloud;
    } catch (error) {
      await cloud.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const connection of this.connections) await connection.close();
    await Promise.all([...this.processes].map(async (child) => await ended(child)));
    await rm(this.folder, { recursive: true, force: true });
  }

  site(name: string): SecuredSite {
    const site = this.sites.get(name);
    if (site === undefined) throw new Error(`no site ${name}`);
    return site;
  }

  /** A control plane connection with these permissions, or with all of them. */
  async connectCloud(name: string, permissions?: Permissions): Promise<NatsConnection> {
    const user = NKey.create('user');
    const request = { name, user: user.publicKey, account: this.cloud.publicKey };
    const common = { ...request, issuer: this.cloudSigner, issuedAtMs: Date.now() };
    const jwt = permissions === undefined ? adminUserJwt(common) : userJwt({ ...common, permissions });
    return await this.connectHub(credsText(jwt, user), `_INBOX_${name}`);
  }

  /** Writes the creds of an app's user and gives their path. */
  async writeAppCreds(name: AppUser): Promise<string> {
    const user = NKey.create('user');
    const path = join(this.folder, `${name}.creds`);
    const who = { name, user: user.publicKey, account: this.cloud.publicKey, issuer: this.cloudSigner };
    const { permissions } = APP_USERS[name];
    await writeCreds(path, userJwt({ ...who, issuedAtMs: Date.now(), permissions }), user);
    return path;
  }

  /** A connection to the system account with these permissions. */
  async connectSystem(permissions: Permissions): Promise<NatsConnection> {
    const user = NKey.create('user');
    const who = { name: 'system', user: user.publicKey, account: this.system.publicKey };
    const jwt = userJwt({ ...who, issuer: this.system, issuedAtMs: Date.now(), permissions });
    return await this.connectHub(credsText(jwt, user), '_INBOX_system');
  }

  async connectHub(creds: string, inboxPrefix?: string): Promise<NatsConnection> {
    return this.keep(
      await connect({
        servers: `${HOST}:${this.hubPort}`,
        authenticator: credsAuthenticator(Buffer.from(creds)),
        maxReconnectAttempts: 0,
        timeout: 3_000,
        ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
      }),
    );
  }

  /** A connection to a site's own server as one of its own users. */
  async connectSite(name: string, user: NKey, inboxPrefix?: string): Promise<NatsConnection> {
    const { port } = this.site(name);
    return this.keep(
      await connect({
        servers: `${HOST}:${port}`,
        authenticator: nkeyAuthenticator(Buffer.from(user.seed())),
        maxReconnectAttempts: 0,
        timeout: 3_000,
        ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
      }),
    );
  }

  /** The claims of a site's account, as policy would push them. */
  siteClaims(name: string, extra: { suspended?: boolean } = {}): string {
    const { account } = this.site(name);
    return siteAccountJwt({
      site: name,
      account,
      cloud: this.cloud.publicKey,
      issuer: this.operatorSigner,
      signingKeys: [this.siteSigner.publicKey],
      issuedAtMs: Date.now(),
      ...extra,
    });
  }

  /** Number of leaf connections that the hub has, or that a site has. */
  async leafCount(monitoringPort = this.hubMonitoringPort): Promise<number> {
    const response = await fetch(`http://${HOST}:${monitoringPort}/leafz`);
    const body: unknown = await response.json();
    if (typeof body !== 'object' || body === null || !('leafnodes' in body)) throw new Error('no leafz');
    return Number(body.leafnodes);
  }

  /** Starts one more server from a configuration text and waits until its client port answers. */
  async startServer(name: string, text: string, port: number): Promise<ChildProcess> {
    const file = join(this.folder, `${name}.conf`);
    await writePrivateFile(file, text);
    const log = await open(join(this.folder, `${name}.log`), 'a');
    const child = spawn(await findNatsServer(), ['-c', file], { stdio: ['ignore', log.fd, log.fd] });
    await log.close();
    this.processes.add(child);
    await until(`server ${name}`, async () => {
      if (child.exitCode !== null) throw new Error(await this.log(name));
      return await answers(port);
    });
    return child;
  }

  /** Kills the hub without warning, lets `meanwhile` work on its folder, and starts it again as it was. */
  async restartHub(meanwhile: (folder: string) => Promise<void> = async () => undefined): Promise<void> {
    if (this.hub !== undefined) {
      await ended(this.hub);
      this.processes.delete(this.hub);
    }
    await meanwhile(join(this.folder, 'hub'));
    const text = await readFile(join(this.folder, 'hub.conf'), 'utf8');
    this.hub = await this.startServer('hub', text, this.hubPort);
  }

  async log(name: string): Promise<string> {
    return await readFile(join(this.folder, `${name}.log`), 'utf8');
  }

  /** Writes a PEM file and gives its path. */
  async writePem(name: string, pem: string): Promise<string> {
    const path = join(this.folder, 'tls', name);
    await writePrivateFile(path, pem);
    return path;
  }

  private async startHub(siteNames: readonly string[]): Promise<void> {
    const [client = 0, monitoring = 0, leaf = 0] = await freePorts(3);
    [this.hubPort, this.hubMonitoringPort, this.leafPort] = [client, monitoring, leaf];
    const request = { name: 'hub', ipAddresses: [HOST], nowMs: Date.now() };
    const server = await issueServerCertificate(this.serverCa, request);
    const certFile = await this.writePem('hub.crt', server.certPem);
    const keyFile = await this.writePem('hub.key', server.keyPem);
    const siteCaFile = await this.writePem('site-ca.crt', this.siteCa.certPem);
    await this.writePem('server-ca.crt', this.serverCa.certPem);
    for (const name of siteNames) await this.makeSite(name);
    const text = hubConfig({
      serverName: 'hub-1',
      client: { host: HOST, port: this.hubPort },
      monitoring: { host: HOST, port: this.hubMonitoringPort },
      operatorJwt: this.operatorClaims(),
      systemAccount: this.system.publicKey,
      resolverDir: join(this.folder, 'hub', 'jwt'),
      accounts: this.hubAccounts(),
      jetstream: bounds(join(this.folder, 'hub', 'js')),
      leaf: { host: HOST, port: this.leafPort, tls: { certFile, keyFile, caFile: siteCaFile } },
    });
    this.hub = await this.startServer('hub', text, this.hubPort);
  }

  private operatorClaims(): string {
    return operatorJwt({
      name: 'test',
      operator: this.operator,
      signingKeys: [this.operatorSigner.publicKey],
      systemAccount: this.system.publicKey,
      issuedAtMs: Date.now(),
    });
  }

  private hubAccounts(): Record<string, string> {
    const issued = { issuer: this.operatorSigner, issuedAtMs: Date.now() };
    const signingKeys = [this.cloudSigner.publicKey];
    const sites = [...this.sites.values()].map((site) => [site.account, this.siteClaims(site.name)] as const);
    return {
      [this.system.publicKey]: systemAccountJwt({ ...issued, account: this.system.publicKey }),
      [this.cloud.publicKey]: cloudAccountJwt({ ...issued, account: this.cloud.publicKey, signingKeys }),
      ...Object.fromEntries(sites),
    };
  }

  private async makeSite(name: string): Promise<void> {
    const nowMs = Date.now();
    const keyPem = makePrivateKey();
    const csrPem = await makeCertificateRequest({ site: name, keyPem });
    const certPem = await issueSiteCertificate(this.siteCa, { site: name, csrPem, nowMs });
    const tls = {
      certFile: await this.writePem(`${name}.crt`, certPem),
      keyFile: await this.writePem(`${name}.key`, keyPem),
      caFile: join(this.folder, 'tls', 'server-ca.crt'),
    };
    const [agent, reader, leafUser] = [NKey.create('user'), NKey.create('user'), NKey.create('user')];
    const [local, logins] = [NKey.create('user'), NKey.create('account')];
    const account = NKey.create('account').publicKey;
    const credsFile = join(this.folder, `${name}.creds`);
    const who = { name, user: leafUser.publicKey, account, issuer: this.siteSigner, issuedAtMs: nowMs };
    await writeCreds(credsFile, siteUserJwt(who), leafUser);
    const keys = { agent, reader, local, logins, leafUser };
    const site = { name, account, ...keys, credsFile, tls, port: 0, monitoringPort: 0 };
    this.sites.set(name, site);
  }

  private async startSite(name: string): Promise<void> {
    const site = this.site(name);
    const [client = 0, monitoring = 0] = await freePorts(2);
    [site.port, site.monitoringPort] = [client, monitoring];
    const before = await this.leafCount();
    await this.startServer(name, this.siteText(name), site.port);
    await until(`leaf of ${name}`, async () => (await this.leafCount()) === before + 1);
  }

  private siteText(name: string): string {
    const site = this.site(name);
    return siteConfig({
      site: name,
      client: { host: HOST, port: site.port },
      monitoring: { host: HOST, port: site.monitoringPort },
      jetstream: bounds(join(this.folder, name, 'js')),
      users: {
        agent: site.agent.publicKey,
        reader: site.reader.publicKey,
        local: site.local.publicKey,
      },
      logins: site.logins.publicKey,
      leaf: { urls: [`tls://${HOST}:${this.leafPort}`], credsFile: site.credsFile, tls: site.tls },
    });
  }

  private keep(connection: NatsConnection): NatsConnection {
    this.connections.add(connection);
    return connection;
  }
}

/** Waits until the condition holds; throws with the name of what was awaited after 20 s. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    if (await holds()) return;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function bounds(storeDir: string): { storeDir: string; maxMemoryBytes: number; maxFileBytes: number } {
  return { storeDir, maxMemoryBytes: 64 * 2 ** 20, maxFileBytes: 16 * 2 ** 30 };
}

async function answers(port: number): Promise<boolean> {
  const { connect: dial } = await import('node:net');
  return await new Promise((resolve) => {
    const socket = dial(port, HOST);
    const done = (open_: boolean) => () => {
      socket.destroy();
      resolve(open_);
    };
    socket.once('data', done(true)).once('error', done(false));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGKILL');
  });
}
