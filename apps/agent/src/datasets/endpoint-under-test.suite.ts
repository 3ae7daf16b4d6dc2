import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SiteData } from '@skerry/client';
import { copySchema, logRuleSchema, type Copy, type Ownership } from '@skerry/contracts';
import { makeLog } from '../log.js';
import { Objects } from '../objects/objects.js';
import { replicaObjects } from '../objects/replica-objects.js';
import { ReplicaEndpoint } from '../singletons/replica-endpoint.js';
import { Copies } from './copies.js';
import { EntryLogs } from './logs/entry-logs.js';
import { replicaLogs } from './logs/replica-logs.js';
import type { Caller } from './ask-dataset.js';
import { replicaDatasets } from './replica-datasets.js';

const log = makeLog('error');
const HERE = { site: 'eu', node: 'eu-1', log };
const TOKEN = 'token-of-web';
const SINGLE = 'token-of-owner';

/** The rule of a copy in the project `shop`. */
export const copyRule = (name: string, more: object = {}): Copy =>
  copySchema.parse({
    project: 'shop',
    name,
    incarnation: 1,
    generation: 1,
    conflicts: 'newest',
    limits: {},
    ...more,
  });

/** What a node has of datasets, and the endpoint at which replicas reach it: as an agent opens it, without a hub. */
export class EndpointUnderTest {
  private parts: Parts | undefined;
  private port = 0;

  private constructor(
    readonly dir: string,
    private readonly relay: Relay,
  ) {}

  static async start(): Promise<EndpointUnderTest> {
    const relay = new Relay();
    await relay.listen();
    const under = new EndpointUnderTest(await mkdtemp(join(tmpdir(), 'skerry-endpoint-')), relay);
    await under.up();
    return under;
  }

  /** Opens what is on the disk, and answers at the port of before. */
  async up(): Promise<void> {
    this.parts = await partsIn(this.dir);
    this.port = Number(new URL(await this.parts.endpoint.url()).port);
    this.relay.to = this.port;
  }

  /** Nobody answers any more, as when an agent ends. */
  async down(): Promise<void> {
    const { parts } = this;
    this.parts = undefined;
    parts?.endpoint.close();
    await parts?.objects.close();
    await parts?.logs.close();
    await parts?.copies.close();
  }

  async close(): Promise<void> {
    await this.down();
    this.relay.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  get copies(): Copies {
    if (this.parts === undefined) throw new Error('it is down');
    return this.parts.copies;
  }

  async wantLog(name: string): Promise<void> {
    const rule = { project: 'shop', name, incarnation: 1, generation: 1, flow: 'mesh' };
    await this.parts?.logs.want(logRuleSchema.parse({ ...rule, bytes: 2 ** 24, valueBytes: 1_024 }));
  }

  /** What a replica has in its environment. */
  environment(token = TOKEN): Record<string, string> {
    return { SKERRY_AGENT_URL: `http://127.0.0.1:${this.port}`, SKERRY_AGENT_TOKEN: token };
  }

  /** As a replica of `web`, or of the singleton `owner`. */
  site(as: 'web' | 'owner' = 'web'): SiteData {
    return SiteData.fromEnvironment(this.environment(as === 'web' ? TOKEN : SINGLE));
  }

  /** The same over a connection that breaks as `breaks` says. */
  overRelay(): { site: SiteData; relay: Relay } {
    const SKERRY_AGENT_URL = `http://127.0.0.1:${this.relay.port}`;
    return { site: SiteData.fromEnvironment({ ...this.environment(), SKERRY_AGENT_URL }), relay: this.relay };
  }
}

/** Passes bytes on, and loses what is to be lost of the answers. */
export class Relay {
  to = 0;
  port = 0;
  /** Of each of the next answers, how many bytes come through before the connection ends. */
  breaks: number[] = [];
  /** Connections that were opened. */
  opened = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server = createServer((socket) => this.pass(socket));

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => void this.server.listen(0, '127.0.0.1', resolve));
    const address = this.server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private pass(near: Socket): void {
    this.opened += 1;
    const far = connect(this.to, '127.0.0.1');
    let left = Infinity;
    const end = () => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      this.sockets.add(socket);
      socket.on('error', end).on('close', end);
    }
    near.on('data', (bytes) => {
      if (left === Infinity) left = this.breaks.shift() ?? Infinity;
      far.write(bytes);
    });
    far.on('data', (bytes) => {
      const through = bytes.subarray(0, Math.min(left, bytes.length));
      left -= through.length;
      if (left > 0) near.write(through);
      else near.end(through, () => far.destroy());
    });
  }
}

type Parts = Awaited<ReturnType<typeof partsIn>>;

async function partsIn(dir: string) {
  const copies = await Copies.open(join(dir, 'datasets'), HERE);
  const logs = await EntryLogs.open(join(dir, 'logs'), HERE);
  const objects = await Objects.open(join(dir, 'objects'), copies, { log, keys: join(dir, 'datasets') });
  const owned: Ownership = { epoch: 3_000_000, leaseMs: 9_000 };
  const ofToken = (token: string) => (token === SINGLE ? owned : undefined);
  const endpoint = new ReplicaEndpoint(join(dir, 'endpoint.json'), ofToken, log);
  const callerOf = (token: string): Caller | undefined =>
    token === TOKEN || token === SINGLE
      ? { project: 'shop', name: 'web', data: [{ dataset: 'catalog', access: 'read' }] }
      : undefined;
  const answers = [
    replicaObjects(objects, callerOf),
    replicaDatasets({ copies }, callerOf),
    replicaLogs({ logs }, callerOf),
  ];
  for (const answer of answers) endpoint.also(answer);
  return { copies, logs, objects, endpoint };
}
