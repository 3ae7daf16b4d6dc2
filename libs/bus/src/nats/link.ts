import { readFileSync } from 'node:fs';
import {
  PermissionViolationError,
  credsAuthenticator,
  nkeyAuthenticator,
  type Authenticator,
  type Msg,
  type NatsConnection,
  type Status,
  type Subscription,
  type SubscriptionOptions,
} from '@nats-io/nats-core';
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node';
import { reasonOf, warn, type OnAlarm } from '../alarm.js';
import { requireHeaders, requireSize } from '../body.js';
import type { Headers } from '../bus.js';
import { Unavailable } from '../errors.js';
import { Asks } from './asks.js';
import { Outbox } from './outbox.js';
import { toNats } from './wire.js';

/** How to reach the bus. */
export interface ConnectOptions {
  /** `host:port` or a URL each; tried in random order. */
  servers: string[];
  /** How this connection is called in the server's lists and logs. */
  name: string;
  /** File with a user's token and seed; read again at every connect, so that it can be exchanged. */
  credsFile?: string;
  /** File with the seed of a user's key; read again at every connect. */
  nkeySeedFile?: string;
  /** File with the authority of the servers' certificates: TLS from the first byte. Without it the server decides. */
  caFile?: string;
  /** Where answers come to; each user is permitted its own only. Default `_INBOX`. */
  inboxPrefix?: string;
  /** JetStream domain to use; default: that of the server connected to. */
  domain?: string;
  /** How long the first connect is tried before `connectBus` rejects with `Unavailable`. Default 30,000; Infinity: for ever. */
  firstConnectMs?: number;
  /** Copies of each stream that `ensureStream` and `ensureBucket` make. Default 1; 3 on a hub of three servers. */
  replicas?: number;
  /** Hears what nobody waits for. Default: a process warning. */
  onAlarm?: OnAlarm;
}

const PING_MS = 5_000;
const PINGS_LOST = 2;
const RECONNECT_MS = 500;
const RECONNECT_JITTER_MS = 500;
const DIAL_MS = 5_000;
const FIRST_CONNECT_MS = 30_000;

/** One connection to a server: reconnects for ever, says when it is connected, asks and sends. */
export class Link {
  readonly asks: Asks;
  private readonly outbox: Outbox;
  connected = true;
  private closing = false;
  private readonly listeners = new Set<(connected: boolean) => void>();
  private readonly loss = new Set<() => void>();
  /** Addresses of the servers that there are, as far as the one connected to tells. */
  private servers: ReadonlySet<string>;

  private constructor(
    private readonly connection: NatsConnection,
    readonly options: ConnectOptions,
    readonly onAlarm: OnAlarm,
  ) {
    this.outbox = new Outbox(connection);
    this.asks = new Asks(connection, this.outbox, options.inboxPrefix);
    this.servers = new Set(connection.info?.connect_urls);
    void this.watch();
  }

  /** Connects, trying again until `firstConnectMs` is over. A file of its own that it cannot read ends it at once. */
  static async open(options: ConnectOptions): Promise<Link> {
    const client = clientOptions(options);
    const deadline = performance.now() + (options.firstConnectMs ?? FIRST_CONNECT_MS);
    for (;;) {
      try {
        return new Link(await connect(client), options, options.onAlarm ?? warn);
      } catch (error) {
        if (performance.now() > deadline) throw unreachable(options, error);
        // A timer that keeps the process alive: nothing else does yet.
        const waitMs = RECONNECT_MS + Math.random() * RECONNECT_JITTER_MS;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  get inboxPrefix(): string | undefined {
    return this.options.inboxPrefix;
  }

  /** Whether the server is one of several, so that a stream may have copies. */
  get clustered(): boolean {
    return this.connection.info?.cluster !== undefined;
  }

  /** Sends a plain message; without a connection it is dropped. */
  say(subject: string, data: Uint8Array, headers: Headers = {}, reply?: string): void {
    if (!this.connected || this.closing) return;
    const hdrs = toNats(requireHeaders(headers));
    requireSize(subject, data, headers, this.connection.info?.max_payload);
    this.outbox.send(subject, data, {
      ...(hdrs === undefined ? {} : { headers: hdrs }),
      ...(reply === undefined ? {} : { reply }),
    });
  }

  /**
   * Asks and waits. Without a connection it waits for one and, when none comes within `timeoutMs`, fails with
   * `Unavailable` having sent nothing.
   */
  ask(subject: string, data: Uint8Array, headers: Headers, timeoutMs: number): Promise<Msg> {
    requireSize(subject, data, headers, this.connection.info?.max_payload);
    const hdrs = toNats(requireHeaders(headers));
    if (this.connected) return this.asks.ask(subject, data, hdrs, timeoutMs);
    return this.ready(subject, timeoutMs).then((left) => this.asks.ask(subject, data, hdrs, left));
  }

  /** Resolves with what is left of `timeoutMs` when there is a connection; rejects with `Unavailable` when none comes. */
  async ready(what: string, timeoutMs: number): Promise<number> {
    return this.connected ? timeoutMs : await this.whenConnected(what, timeoutMs);
  }

  subscribe(subject: string, options: SubscriptionOptions): Subscription {
    return this.connection.subscribe(subject, options);
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Hears that a server of the hub, other than the one connected to, is gone: what lay there alone is gone with it. */
  onServerLost(listener: () => void): () => void {
    this.loss.add(listener);
    return () => this.loss.delete(listener);
  }

  /** Resolves when the server has seen all that was sent. */
  async flush(): Promise<void> {
    this.outbox.drain();
    if (this.connected) await this.connection.flush();
  }

  async close(): Promise<void> {
    if (this.closing) return;
    await this.flush().catch(() => undefined);
    this.closing = true;
    await this.connection.close();
    this.turn(false);
  }

  private async whenConnected(subject: string, timeoutMs: number): Promise<number> {
    const since = performance.now();
    const none = () => new Unavailable(`${subject}: not connected to ${this.options.servers.join(', ')}`);
    if (this.closing) throw none();
    await new Promise<void>((resolve, reject) => {
      const stop = this.onConnection((connected) => {
        if (!connected && !this.closing) return;
        cancel();
        stop();
        if (connected) resolve();
        else reject(none());
      });
      const timer = setTimeout(() => {
        stop();
        reject(none());
      }, timeoutMs);
      const cancel = () => clearTimeout(timer);
    });
    return Math.max(1, timeoutMs - (performance.now() - since));
  }

  private async watch(): Promise<void> {
    for await (const status of this.connection.status()) this.heard(status);
    this.turn(false);
  }

  private heard(status: Status): void {
    switch (status.type) {
      case 'disconnect':
      case 'staleConnection':
      case 'close':
        this.turn(false);
        return;
      case 'reconnect':
        this.turn(true);
        return;
      case 'update':
        this.lookAtServers();
        return;
      case 'error':
        this.refused(status.error);
        return;
      default:
        return;
    }
  }

  /** The server connected to says which servers there are when that changes. */
  private lookAtServers(): void {
    const there = new Set(this.connection.info?.connect_urls);
    const lost = [...this.servers].some((server) => !there.has(server));
    this.servers = there;
    if (lost && this.connected) for (const listener of this.loss) listener();
  }

  private refused(error: Error): void {
    if (error instanceof PermissionViolationError && error.operation === 'publish') {
      this.asks.forbidden(error.subject);
    }
    this.onAlarm({ what: `connection ${this.options.name}`, error });
  }

  private turn(connected: boolean): void {
    if (connected === this.connected) return;
    this.connected = connected;
    if (!connected) {
      this.outbox.drop();
      this.asks.lost();
    }
    for (const listener of this.listeners) listener(connected);
  }
}

function clientOptions(options: ConnectOptions): NodeConnectionOptions {
  return {
    servers: options.servers,
    name: options.name,
    ...authenticator(options),
    ...(options.caFile === undefined ? {} : { tls: { caFile: options.caFile, handshakeFirst: true } }),
    ...(options.inboxPrefix === undefined ? {} : { inboxPrefix: options.inboxPrefix }),
    timeout: DIAL_MS,
    pingInterval: PING_MS,
    maxPingOut: PINGS_LOST,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    reconnectJitterTLS: RECONNECT_JITTER_MS,
    // A token may be exchanged at any time, so a refusal is no reason to give up.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  };
}

function authenticator({ credsFile, nkeySeedFile }: ConnectOptions): { authenticator?: Authenticator } {
  if (credsFile !== undefined) return { authenticator: credsAuthenticator(reader(credsFile)) };
  if (nkeySeedFile === undefined) return {};
  const seed = reader(nkeySeedFile);
  return { authenticator: nkeyAuthenticator(() => Buffer.from(seed().toString('ascii').trim())) };
}

/** Reads a file anew each time. While it cannot be read the last content counts: the client would close for good. */
function reader(path: string): () => Buffer {
  let last = first(path);
  return () => {
    try {
      last = readFileSync(path);
    } catch {
      // Kept: see above.
    }
    return last;
  };
}

function first(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Error(`read ${path}: ${reasonOf(cause)}`, { cause });
  }
}

function unreachable({ servers, name }: ConnectOptions, cause: unknown): Unavailable {
  return new Unavailable(`connect ${name} to ${servers.join(', ')}: ${reasonOf(cause)}`, { cause });
}
