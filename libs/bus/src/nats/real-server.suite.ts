import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServer } from '@skerry/nats-server';
import { until } from '../suite/meeting.suite.js';

const HOST = '127.0.0.1';

/** A nats-server of its own with JetStream in a temporary folder. */
export class RealServer {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly binary: string,
    readonly folder: string,
    readonly port: number,
    private readonly extra: readonly string[],
    private readonly diskMiB: number | undefined,
  ) {}

  /** `config` is the text of a configuration beside address, port and JetStream; with `diskMiB` it has a disk that small. */
  static async start(config?: string, diskMiB?: number): Promise<RealServer> {
    const folder = await mkdtemp(join(tmpdir(), 'skerry-bus-'));
    const file = join(folder, 'server.conf');
    if (config !== undefined) await writeFile(file, config);
    const extra = config === undefined ? [] : ['-c', file];
    const server = new RealServer(await findNatsServer(), folder, await freePort(), extra, diskMiB);
    await server.run();
    return server;
  }

  get url(): string {
    return `${HOST}:${this.port}`;
  }

  /** Starts it again on the same port and folder. */
  async run(): Promise<void> {
    const store = join(this.folder, 'js');
    await mkdir(store, { recursive: true });
    const args = [this.binary, '-a', HOST, '-p', String(this.port), '-js', '-sd', store, ...this.extra];
    const [command = '', ...rest] =
      this.diskMiB === undefined ? args : onSmallDisk(this.diskMiB, store, args);
    this.child = spawn(command, rest, { stdio: 'ignore' });
    await until('nats-server answers', () => answers(this.port));
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill('SIGKILL');
    });
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Runs a command in a mount namespace of its own, where the folder is a small disk in memory. */
function onSmallDisk(sizeMiB: number, folder: string, args: readonly string[]): string[] {
  const script = 'mount -t tmpfs -o "size=$0" tmpfs "$1" && shift && exec "$@"';
  return ['unshare', '--map-root-user', '--mount', 'sh', '-c', script, `${sizeMiB}m`, folder, ...args];
}

/** One client's way to the server, which can be cut. */
export class Relay {
  private readonly sockets = new Set<Socket>();
  private open = true;

  private constructor(
    private readonly listener: Server,
    readonly port: number,
  ) {}

  static async start(to: number): Promise<Relay> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, HOST, resolve));
    const relay = new Relay(listener, portOf(listener));
    listener.on('connection', (client) => relay.carry(client, to));
    return relay;
  }

  get url(): string {
    return `${HOST}:${this.port}`;
  }

  cut(): void {
    this.open = false;
    for (const socket of this.sockets) socket.destroy();
  }

  heal(): void {
    this.open = true;
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private carry(client: Socket, to: number): void {
    if (!this.open) {
      client.destroy();
      return;
    }
    const server = connect(to, HOST);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}

/** Below what Linux gives to outgoing connections: while a server is down, one of those could take its port. */
const PORTS = { from: 10_081, to: 20_000 };

async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    const listener = createServer();
    const free = await new Promise<boolean>((resolve) => {
      listener.once('error', () => resolve(false));
      listener.listen(port, HOST, () => resolve(true));
    });
    await new Promise((resolve) => listener.close(resolve));
    if (free) return port;
  }
}

function portOf(listener: Server): number {
  const address: AddressInfo | string | null = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, HOST);
    const end = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('data', end(true)).once('error', end(false));
  });
}
