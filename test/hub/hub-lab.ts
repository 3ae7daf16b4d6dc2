import { spawn, type ChildProcess } from 'node:child_process';
import { join, resolve } from 'node:path';
import { connectBus, type Bucket, type Bus } from '@skerry/bus';
import {
  BUCKETS,
  eventSchema,
  inboxPrefix,
  placementSchema,
  siteSchema,
  STREAMS,
  workloadKey,
  workloadSchema,
  type Placement,
  type Site,
  type SkerryEvent,
  type Workload,
} from '@skerry/contracts';
import { adminUserJwt, APP_USERS, NKey, userJwt, writeCreds, type AppUser } from '@skerry/identity';
import { freePorts } from '@skerry/local';
import { SecuredCloud } from '../bus/secured-cloud.js';
import { FakeSite } from './fake-site.js';
import { site, until } from './nouns.js';

const HOST = '127.0.0.1';
const ROOT = resolve(import.meta.dirname, '../..');
const READY_MS = 30_000;

/** A service in a process of its own. */
export interface AppProcess {
  child: ChildProcess;
  port: number;
  /** What it has logged so far. */
  log: () => string;
}

/**
 * A hub with sites on real servers in operator mode, on which services run as their own users; what the others would
 * do (policy, scheduler, agents) the test does itself.
 */
export class HubLab {
  private readonly apps = new Set<AppProcess>();
  private readonly fakes: FakeSite[] = [];
  private readonly buses: Bus[] = [];
  readonly events: SkerryEvent[] = [];

  private constructor(
    readonly cloud: SecuredCloud,
    /** May do everything on the hub's bus. */
    readonly admin: Bus,
    readonly workloads: Bucket<Workload>,
    readonly placements: Bucket<Placement>,
    readonly siteSpecs: Bucket<Site>,
  ) {}

  static async start(siteNames: readonly string[]): Promise<HubLab> {
    const cloud = await SecuredCloud.start(siteNames);
    try {
      const admin = await connectBus(await connection(cloud, 'admin'));
      for (const stream of [STREAMS.CMD, STREAMS.EVT, STREAMS.DEAD]) await admin.ensureStream(stream);
      const owners = ['policy', 'scheduler', 'inventory'];
      const others = Object.values(BUCKETS).filter(({ owner }) => owners.includes(owner));
      for (const bucket of others) await admin.ensureBucket(bucket);
      const lab = new HubLab(
        cloud,
        admin,
        admin.bucket(BUCKETS.workloads, (v) => workloadSchema.parse(v)),
        admin.bucket(BUCKETS.placements, (v) => placementSchema.parse(v)),
        admin.bucket(BUCKETS.siteSpecs, (v) => siteSchema.parse(v)),
      );
      await admin.follow(STREAMS.EVT.name, (m) => {
        lab.events.push(eventSchema.parse(m.json()));
      });
      for (const name of siteNames) await lab.putSite(name);
      return lab;
    } catch (error) {
      await cloud.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const app of this.apps) await this.end(app);
    for (const fake of this.fakes) await fake.close();
    for (const bus of this.buses) await bus.close();
    await this.admin.close();
    await this.cloud.stop();
  }

  /** Starts a service and waits until it says that it is ready. */
  async startApp(name: AppUser, env: Record<string, string> = {}): Promise<AppProcess> {
    const { credsFile } = await connection(this.cloud, name);
    const [port = 0] = await freePorts(1);
    const child = spawn(process.execPath, [join(ROOT, 'apps', name, 'dist', 'main.js')], {
      env: {
        SKERRY_NATS_URL: `nats://${HOST}:${this.cloud.hubPort}`,
        SKERRY_NATS_CREDS: credsFile,
        SKERRY_HTTP_PORT: String(port),
        ...env,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const app = { child, port, log: () => text };
    this.apps.add(app);
    await until(`${name} is ready`, () => isReady(app), READY_MS).catch((cause: unknown) => {
      throw new Error(`${name} is not ready: ${text.slice(-3_000)}`, { cause });
    });
    return app;
  }

  /** Ends a service without warning, or as `signal` says; resolves with its exit code. */
  async end(app: AppProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    this.apps.delete(app);
    const { child } = app;
    if (child.exitCode === null && child.signalCode === null) {
      await new Promise((done) => {
        child.once('exit', done);
        child.kill(signal);
      });
    }
    return child.exitCode;
  }

  /** A connection as one of the hub's users, with that user's permissions; closed by `stop`. */
  async bus(name: AppUser): Promise<Bus> {
    const bus = await connectBus(await connection(this.cloud, name));
    this.buses.push(bus);
    return bus;
  }

  /** What an agent would do at a site. */
  async fakeSite(name: string): Promise<FakeSite> {
    const { agent, port, account } = this.cloud.site(name);
    const fake = await FakeSite.start({ name, account, port, agent, folder: this.cloud.folder });
    this.fakes.push(fake);
    return fake;
  }

  async putSite(name: string, change: Partial<Site> = {}): Promise<void> {
    const known = await this.siteSpecs.get(name);
    const next = { ...(known?.value ?? site(name, this.cloud.site(name).account)), ...change };
    await this.siteSpecs.set(name, next);
  }

  /** Puts a workload and the decision about it, as policy and the scheduler would. */
  async decide(workload: Workload, placement: Placement): Promise<void> {
    const key = workloadKey(workload.project, workload.name);
    await this.workloads.set(key, workload);
    await this.placements.set(key, placement);
  }
}

async function connection(cloud: SecuredCloud, name: AppUser) {
  const user = NKey.create('user');
  const request = {
    name,
    user: user.publicKey,
    account: cloud.cloud.publicKey,
    issuer: cloud.cloudSigner,
    issuedAtMs: Date.now(),
  };
  const { permissions } = APP_USERS[name];
  const jwt = name === 'admin' ? adminUserJwt(request) : userJwt({ ...request, permissions });
  const credsFile = join(cloud.folder, `${name}.creds`);
  await writeCreds(credsFile, jwt, user);
  return {
    servers: [`${HOST}:${cloud.hubPort}`],
    name: `test ${name}`,
    credsFile,
    inboxPrefix: inboxPrefix(name),
    onAlarm: () => undefined,
  };
}

async function isReady(app: AppProcess): Promise<boolean> {
  if (app.child.exitCode !== null) throw new Error(`it ended with ${app.child.exitCode}`);
  const answer = await fetch(`http://${HOST}:${app.port}/readyz`).catch(() => undefined);
  return answer?.status === 200;
}
