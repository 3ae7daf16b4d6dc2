import { spawn, type ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Bus } from '@skerry/bus';
import { SkerryClient } from '@skerry/client';
import type { Role } from '@skerry/contracts';
import { issueServerCertificate, makeApiToken, NKey, writePrivateFile } from '@skerry/identity';
import { freePorts } from '@skerry/local';
import { Hub } from '../service/hub.js';
import { until } from '../service/plain-server.js';
import { StandIns } from './stand-ins.js';

const ROOT = resolve(import.meta.dirname, '../..');
const program = (app: string) => join(ROOT, 'apps', app, 'dist', 'main.js');
const YEAR_MS = 365 * 86_400_000;

export interface Ran {
  code: number;
  out: string;
  err: string;
}

interface Parts {
  hub: Hub;
  port: number;
  joinPort: number;
  tokens: Record<Role | 'expired', string>;
  sites: Record<string, string>;
  bus: Bus;
  standIns: StandIns;
  api: { child: ChildProcess; output: () => string };
}

/** The HTTP api and policy as real processes on a real hub; the scheduler, the read model and a site are stand-ins. */
export class ApiCloud {
  readonly hub: Hub;
  readonly url: string;
  readonly tokens: Parts['tokens'];
  /** Account ids by site. */
  readonly sites: Parts['sites'];
  /** May do everything on the bus. */
  readonly bus: Bus;
  readonly standIns: StandIns;

  private constructor(private readonly parts: Parts) {
    this.hub = parts.hub;
    this.tokens = parts.tokens;
    this.sites = parts.sites;
    this.bus = parts.bus;
    this.standIns = parts.standIns;
    this.url = `http://127.0.0.1:${parts.port}`;
  }

  static async start(): Promise<ApiCloud> {
    const hub = await Hub.start();
    const tokens = { admin: '', operator: '', viewer: '', expired: '' };
    const records = [];
    for (const name of ['admin', 'operator', 'viewer', 'expired'] as const) {
      const nowMs = Date.now();
      const role = name === 'expired' ? 'admin' : name;
      const expiresAtMs = name === 'expired' ? nowMs - 1_000 : nowMs + YEAR_MS;
      const { token, record } = makeApiToken({
        subject: `test-${name}`,
        role,
        nowMs: nowMs - 5_000,
        expiresAtMs,
      });
      tokens[name] = token;
      records.push(record);
    }
    const sites = { 'eu-de': NKey.create('account').publicKey, 'us-east': NKey.create('account').publicKey };
    const bootstrap = {
      tokens: records,
      sites: Object.entries(sites).map(([name, account]) => founded(name, account)),
    };
    await writePrivateFile(join(hub.identityDir, 'bootstrap.json'), JSON.stringify(bootstrap));
    startPolicy(hub);
    const bus = await hub.bus('admin');
    const standIns = await StandIns.start(bus);
    const [port = 0, joinPort = 0] = await freePorts(2);
    const api = await startApi(hub, port, joinPort);
    return new ApiCloud({ hub, port, joinPort, tokens, sites, bus, standIns, api });
  }

  client(role: Role | 'expired' = 'admin', options: { tries?: number } = {}): SkerryClient {
    return new SkerryClient({ url: this.url, token: this.tokens[role], ...options });
  }

  /** One raw request, as whoever `role` says. */
  fetch(path: string, init: RequestInit = {}, role: Role | 'expired' = 'admin'): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${this.tokens[role]}`);
    return fetch(`${this.url}${path}`, { ...init, headers });
  }

  get port(): number {
    return this.parts.port;
  }

  /** What the api has logged so far. */
  get log(): string {
    return this.parts.api.output();
  }

  /** Runs the CLI as a process in the hub's folder, with a context file of its own. */
  async skerry(
    args: string[],
    more: { stdin?: string; env?: Record<string, string>; role?: Role | 'expired' } = {},
  ): Promise<Ran> {
    const context = join(this.hub.folder, `context-${more.role ?? 'admin'}.json`);
    await writePrivateFile(
      context,
      JSON.stringify({ name: 'test', url: this.url, token: this.tokens[more.role ?? 'admin'] }),
    );
    return runCli(args, {
      cwd: this.hub.folder,
      stdin: more.stdin ?? '',
      env: { SKERRY_CONTEXT: context, ...more.env },
    });
  }

  /** A file for the CLI to read; answers its path. */
  async file(name: string, text: string | Uint8Array): Promise<string> {
    const path = join(this.hub.folder, name);
    await writeFile(path, text);
    return path;
  }

  /** Ends the api as an operator would; answers its exit code. */
  endApi(): Promise<number | null> {
    return this.hub.end(this.parts.api.child, 'SIGTERM');
  }

  /** Ends the api and starts it again on the same ports. */
  async restartApi(): Promise<void> {
    await this.endApi();
    this.parts.api = await startApi(this.hub, this.parts.port, this.parts.joinPort);
  }

  async stop(): Promise<void> {
    await this.standIns.stop();
    await this.hub.stop();
  }
}

/** An agent that says how it was called and what came on its standard input. */
const AGENT = [
  "import { text } from 'node:stream/consumers';",
  'console.log(JSON.stringify({ args: process.argv.slice(2), stdin: await text(process.stdin) }));',
  '',
].join('\n');

/** Runs the CLI with only this environment. */
export async function runCli(
  args: string[],
  options: {
    cwd: string;
    stdin?: string;
    env?: Record<string, string>;
    signalAfter?: { text: string; signal: NodeJS.Signals };
  },
): Promise<Ran> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: options.cwd, ...options.env };
  const child = spawn(process.execPath, [program('cli'), ...args], { cwd: options.cwd, env });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (options.signalAfter && out.includes(options.signalAfter.text)) child.kill(options.signalAfter.signal);
  });
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const code = await new Promise<number>((resolve_) => child.once('close', (exit) => resolve_(exit ?? -1)));
  return { code, out, err };
}

function founded(name: string, account: string) {
  const description = { name, location: { lat: 50, lon: 8 }, jurisdictions: ['eu'] };
  return { description, account, userKey: NKey.create('user').publicKey };
}

function startPolicy(hub: Hub): void {
  hub.run([program('policy')], {
    SKERRY_NATS_URL: hub.url,
    SKERRY_NATS_CREDS: hub.creds('policy'),
    SKERRY_SYS_CREDS: hub.creds('policy-sys'),
    SKERRY_IDENTITY_DIR: hub.identityDir,
    SKERRY_BOOTSTRAP_FILE: join(hub.identityDir, 'bootstrap.json'),
    SKERRY_LEAF_URLS: `tls://127.0.0.1:${hub.ports.leaf}`,
  });
}

async function startApi(hub: Hub, port: number, joinPort: number) {
  const server = await issueServerCertificate(hub.identity.serversCa, {
    name: 'join',
    ipAddresses: ['127.0.0.1'],
    nowMs: Date.now(),
  });
  const tls = join(hub.folder, 'join-tls');
  await writePrivateFile(join(tls, 'join.crt'), server.certPem);
  await writePrivateFile(join(tls, 'join.key'), server.keyPem);
  const bundle = join(hub.folder, 'agent.mjs');
  await writeFile(bundle, AGENT);
  const api = hub.run([program('api')], {
    SKERRY_NATS_URL: hub.url,
    SKERRY_NATS_CREDS: hub.creds('api'),
    SKERRY_API_PORT: String(port),
    SKERRY_JOIN_PORT: String(joinPort),
    SKERRY_TLS_DIR: tls,
    SKERRY_AGENT_BUNDLE: bundle,
  });
  const url = `http://127.0.0.1:${port}/readyz`;
  const ready = () =>
    fetch(url).then(
      (answer) => answer.ok,
      () => false,
    );
  await until(ready, 'api is ready', 20_000).catch((cause: unknown) => {
    throw new Error(`api is not ready: ${api.output().slice(-3_000)}`, { cause });
  });
  return api;
}
