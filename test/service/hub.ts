import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectBus, type Bus } from '@skerry/bus';
import { inboxPrefix, type JoinAnswer } from '@skerry/contracts';
import {
  APP_USERS,
  foundCloudIdentity,
  hubConfig,
  issueServerCertificate,
  makeCertificateRequest,
  makePrivateKey,
  NKey,
  siteConfig,
  userJwt,
  writeCreds,
  writePrivateFile,
  writeSeed,
  type AppUser,
  type CloudIdentity,
} from '@skerry/identity';
import { freePorts } from '@skerry/local';
import { findNatsServer } from '@skerry/nats-server';
import { until } from './plain-server.js';

const HOST = '127.0.0.1';

/** A machine that joins as a site: the keys it made for itself. */
export interface Machine {
  user: NKey;
  keyPem: string;
  csr: string;
}

/** A hub in operator mode with every app's user, in a folder of its own; and the leaf servers and services started on it. */
export class Hub {
  readonly buses: Bus[] = [];
  private readonly sitePorts = new Map<string, number>();
  private readonly children = new Set<ChildProcess>();

  private constructor(
    readonly folder: string,
    readonly identity: CloudIdentity,
    readonly ports: { client: number; monitor: number; leaf: number },
  ) {}

  static async start(): Promise<Hub> {
    const folder = await mkdtemp(join(tmpdir(), 'skerry-hub-'));
    const identity = await foundCloudIdentity(join(folder, 'identity'), { name: 'test', nowMs: Date.now() });
    const [client = 0, monitor = 0, leaf = 0] = await freePorts(3);
    const hub = new Hub(folder, identity, { client, monitor, leaf });
    for (const user of Object.keys(APP_USERS)) if (isAppUser(user)) await hub.writeUser(user);
    await hub.startServer();
    return hub;
  }

  get url(): string {
    return `nats://${HOST}:${this.ports.client}`;
  }

  get identityDir(): string {
    return join(this.folder, 'identity');
  }

  creds(user: AppUser): string {
    return join(this.folder, 'creds', `${user}.creds`);
  }

  /** A connection as one of the hub's users, with that user's permissions. */
  async bus(user: AppUser): Promise<Bus> {
    const options = { servers: [this.url], name: `test ${user}`, credsFile: this.creds(user) };
    const bus = await connectBus({ ...options, inboxPrefix: inboxPrefix(user), onAlarm: () => undefined });
    this.buses.push(bus);
    return bus;
  }

  /** Runs a program of node with only this environment; `output` is what it wrote to standard error so far. */
  run(argv: string[], env: Record<string, string>): { child: ChildProcess; output: () => string } {
    const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.children.add(child);
    let text = '';
    child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return { child, output: () => text };
  }

  /** Ends a process by its id and waits for its end; resolves to its exit code. */
  async end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill(signal);
      await ended;
    }
    this.children.delete(child);
    return child.exitCode;
  }

  async stop(): Promise<void> {
    await Promise.all(this.buses.map((bus) => bus.close()));
    await Promise.all([...this.children].map((child) => this.end(child)));
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Starts the leaf server of a machine that joined; resolves when the hub has its connection. */
  async startLeaf(answer: JoinAnswer, machine: Machine): Promise<ChildProcess> {
    const folder = join(this.folder, 'sites', answer.site);
    const file = (name: string) => join(folder, name);
    await writeCreds(file('leaf.creds'), answer.userJwt, machine.user);
    await writePrivateFile(file('leaf.crt'), answer.certificate);
    await writePrivateFile(file('leaf.key'), machine.keyPem);
    await writePrivateFile(file('ca.crt'), answer.ca);
    const [client = 0] = await freePorts(1);
    const agent = NKey.create('user');
    await writeSeed(file('agent.seed'), agent);
    this.sitePorts.set(answer.site, client);
    const text = siteConfig({
      site: answer.site,
      client: { host: HOST, port: client },
      jetstream: bounds(file('js')),
      users: { agent: agent.publicKey },
      leaf: {
        urls: answer.leafUrls,
        credsFile: file('leaf.creds'),
        tls: { certFile: file('leaf.crt'), keyFile: file('leaf.key'), caFile: file('ca.crt') },
      },
    });
    await writePrivateFile(file('leaf.conf'), text);
    const child = await this.spawnServer(file('leaf.conf'));
    await until(async () => (await this.leafCount()) > 0, `leaf ${answer.site} is connected`);
    return child;
  }

  /** A connection to a site's own server as its agent. */
  async siteBus(site: string): Promise<Bus> {
    const seed = join(this.folder, 'sites', site, 'agent.seed');
    const servers = [`${HOST}:${this.sitePorts.get(site) ?? 0}`];
    const bus = await connectBus({ servers, name: 'agent', nkeySeedFile: seed, onAlarm: () => undefined });
    this.buses.push(bus);
    return bus;
  }

  /** Leaf connections that the hub has now. */
  async leafCount(): Promise<number> {
    const answer = await fetch(`http://${HOST}:${this.ports.monitor}/leafz`);
    const body: unknown = await answer.json();
    return typeof body === 'object' && body !== null && 'leafnodes' in body ? Number(body.leafnodes) : NaN;
  }

  private async startServer(): Promise<void> {
    const request = { name: 'hub', ipAddresses: [HOST], nowMs: Date.now() };
    const server = await issueServerCertificate(this.identity.serversCa, request);
    const file = (name: string) => join(this.folder, 'tls', name);
    await writePrivateFile(file('hub.crt'), server.certPem);
    await writePrivateFile(file('hub.key'), server.keyPem);
    await writePrivateFile(file('sites.crt'), this.identity.sitesCa.certPem);
    await mkdir(join(this.folder, 'hub'), { recursive: true });
    const { systemAccount, cloudAccount } = this.identity;
    const text = hubConfig({
      serverName: 'hub',
      client: { host: HOST, port: this.ports.client },
      monitoring: { host: HOST, port: this.ports.monitor },
      operatorJwt: this.identity.operatorJwt,
      systemAccount: systemAccount.publicKey,
      resolverDir: join(this.folder, 'hub', 'jwt'),
      accounts: {
        [systemAccount.publicKey]: this.identity.systemAccountJwt,
        [cloudAccount.publicKey]: this.identity.cloudAccountJwt,
      },
      jetstream: bounds(join(this.folder, 'hub', 'js')),
      leaf: {
        host: HOST,
        port: this.ports.leaf,
        tls: { certFile: file('hub.crt'), keyFile: file('hub.key'), caFile: file('sites.crt') },
      },
    });
    await writePrivateFile(join(this.folder, 'hub.conf'), text);
    await this.spawnServer(join(this.folder, 'hub.conf'));
    await until(() => this.leafCount().then(Number.isFinite, () => false), 'the hub answers');
  }

  private async spawnServer(config: string): Promise<ChildProcess> {
    const child = spawn(await findNatsServer(), ['-c', config, '-l', `${config}.log`], { stdio: 'ignore' });
    this.children.add(child);
    return child;
  }

  private async writeUser(name: AppUser): Promise<void> {
    const { account, permissions } = APP_USERS[name];
    const user = NKey.create('user');
    const system = account === 'SYS';
    const issuer = system ? this.identity.systemAccount : this.identity.cloudSigning;
    const of = (system ? this.identity.systemAccount : this.identity.cloudAccount).publicKey;
    const request = { name, user: user.publicKey, account: of, issuer, issuedAtMs: Date.now() };
    await writeCreds(this.creds(name), userJwt({ ...request, permissions }), user);
  }
}

/** A machine with keys of its own. */
export async function makeMachine(site: string): Promise<Machine> {
  const keyPem = makePrivateKey();
  return { user: NKey.create('user'), keyPem, csr: await makeCertificateRequest({ site, keyPem }) };
}

function bounds(storeDir: string) {
  return { storeDir, maxMemoryBytes: 64 * 2 ** 20, maxFileBytes: 16 * 2 ** 30 };
}

function isAppUser(name: string): name is AppUser {
  return name in APP_USERS;
}
