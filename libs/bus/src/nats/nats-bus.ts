import { randomUUID } from 'node:crypto';
import { BUCKETS, type BucketDefinition, type StreamDefinition } from '@skerry/contracts';
import type { OnAlarm } from '../alarm.js';
import { encodeBody } from '../body.js';
import { StreamBucket } from '../bucket.js';
import type {
  BatchItem,
  Body,
  Bucket,
  BucketParser,
  Bus,
  ConsumeOptions,
  Following,
  Headers,
  HeardMessage,
  Lease,
  Message,
  Outcome,
  PublishAck,
  PublishOptions,
  StoredMessage,
  StreamState,
  Subscription,
} from '../bus.js';
import { pause, realClock } from '../clock.js';
import { Conflict, Malformed, StorageFull, TimedOut } from '../errors.js';
import { StreamLease, parseHeld } from '../lease.js';
import { NATS, TIMEOUT_MS, inBatch, outgoing, outgoingBatch, type Outgoing } from '../outgoing.js';
import { accepted } from '../refusals.js';
import type { Store, StoreFollowOptions } from '../store.js';
import { requireSubject } from '../subject.js';
import { withTrace } from '../trace.js';
import { Consumption } from './consumption.js';
import { NatsFollowing } from './following.js';
import { Group } from './groups.js';
import { JsApi, publishAck, type StreamConfig } from './js-api.js';
import { Link, type ConnectOptions } from './link.js';
import { hear, respondTo } from './hearing.js';
import { storedMessage } from './stored.js';
import { bucketConfig, differs, streamConfig, updated } from './stream-config.js';
import { CODES, JetStreamError, WireMessage } from './wire.js';

/** How long a stream has to say that it is there. */
const PROBE_MS = 1_000;
/** Before a message is sent again whose id is on its way. */
const SAME_ID_MS = 50;

/** Connects to the bus; rejects with `Unavailable` when no server answers within `firstConnectMs`. */
export async function connectBus(options: ConnectOptions): Promise<Bus> {
  return new NatsBus(await Link.open(options));
}

/** The bus over one connection to a nats-server. */
class NatsBus implements Bus, Store {
  readonly clock = realClock;
  readonly onAlarm: OnAlarm;
  private readonly api: JsApi;
  private readonly replicas: number;
  private readonly subscriptions = new Set<Subscription>();
  private readonly groups = new Map<string, Group>();

  constructor(private readonly link: Link) {
    this.api = new JsApi(link);
    this.onAlarm = link.onAlarm;
    this.replicas = link.options.replicas ?? 1;
  }

  get connected(): boolean {
    return this.link.connected;
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    const ends = [this.link.onConnection(listener), this.link.onServerLost(() => listener(true))];
    return () => ends.forEach((end) => end());
  }

  async publish(subject: string, body: Body, options: PublishOptions = {}): Promise<PublishAck> {
    const message = outgoing(subject, body, options);
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    const { group } = options;
    return await (group === undefined
      ? this.single(message, timeoutMs)
      : this.groupOf(group).publish(message, timeoutMs));
  }

  async publishBatch(items: BatchItem[]): Promise<PublishAck> {
    const [first] = items;
    // A batch of one costs ten times a plain message and promises the same.
    if (first !== undefined && items.length === 1)
      return await this.publish(first.subject, first.body, first);
    return await this.transaction(outgoingBatch(items, randomUUID()), TIMEOUT_MS);
  }

  private async transaction(messages: readonly Outgoing[], timeoutMs: number): Promise<PublishAck> {
    const last = messages.at(-1);
    if (last === undefined) throw new Malformed('a batch without messages');
    const left = await this.link.ready(last.subject, timeoutMs);
    for (const m of messages.slice(0, -1)) this.link.say(m.subject, m.bytes, m.headers);
    return await this.acknowledged(last, left);
  }

  private groupOf(stream: string): Group {
    const known = this.groups.get(stream);
    if (known !== undefined) return known;
    const group = new Group({
      single: (message, timeoutMs) => this.single(message, timeoutMs),
      all: (messages, timeoutMs) => this.transaction(inBatch(messages, randomUUID()), timeoutMs),
    });
    this.groups.set(stream, group);
    return group;
  }

  /** A hub of several servers refuses an id that is on its way through them; it is known to be stored soon, or not. */
  private async single(message: Outgoing, timeoutMs: number): Promise<PublishAck> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        return await this.acknowledged(message, Math.max(1, deadline - performance.now()));
      } catch (error) {
        if (!(error instanceof JetStreamError) || error.errorCode !== CODES.sameIdInProcess) throw error;
        const text = `${message.subject}: a message with its id is on its way, and may be stored`;
        if (performance.now() > deadline) throw new TimedOut(text, { cause: error });
        await pause(realClock, SAME_ID_MS);
      }
    }
  }

  private async acknowledged({ subject, bytes, headers }: Outgoing, timeoutMs: number): Promise<PublishAck> {
    try {
      return publishAck(subject, await this.link.ask(subject, bytes, headers, timeoutMs));
    } catch (error) {
      if (error instanceof TimedOut && (await this.isPassedOver(subject))) {
        throw new StorageFull(
          `publish to ${subject}: its server does not store it; is its disk full? make room, then restart it`,
          { cause: error },
        );
      }
      throw error;
    }
  }

  /**
   * A server whose disk is full answers nothing. But a stream handles what comes in its order: when it answers what was
   * sent after the message that it did not answer, it has not stored that one. (Nor will it store others: a store that
   * failed once refuses all until its server is restarted, also when there is room again. Seen with 2.15.1.) Not so where there
   * are several servers: the leader of a stream refuses by itself, and what waits for the others may be stored later.
   */
  private async isPassedOver(subject: string): Promise<boolean> {
    if (!this.link.connected || this.link.clustered) return false;
    const impossible = { [NATS.expectedSequence]: String(Number.MAX_SAFE_INTEGER) };
    try {
      publishAck(subject, await this.link.ask(subject, new Uint8Array(0), impossible, PROBE_MS));
    } catch (error) {
      return error instanceof Conflict;
    }
    return false;
  }

  say(subject: string, body: Body, options: { headers?: Headers } = {}): void {
    this.link.say(requireSubject(subject), encodeBody(body), withTrace(options.headers));
  }

  async request(
    subject: string,
    body: Body,
    options: { headers?: Headers; timeoutMs?: number } = {},
  ): Promise<Message> {
    const headers = withTrace(options.headers);
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    const answer = await this.link.ask(requireSubject(subject), encodeBody(body), headers, timeoutMs);
    return accepted(new WireMessage(answer));
  }

  respond(
    subject: string,
    handler: (m: Message) => Promise<Body> | Body,
    options: { queue?: string } = {},
  ): Subscription {
    return this.keep(respondTo(this.link, subject, handler, options));
  }

  listen(
    subject: string,
    handler: (m: HeardMessage) => void,
    options: { queue?: string } = {},
  ): Subscription {
    return this.keep(hear(this.link, subject, handler, options));
  }

  async consume(
    options: ConsumeOptions,
    handler: (m: StoredMessage) => Promise<Outcome>,
  ): Promise<Subscription> {
    const publish: Bus['publish'] = (...args) => this.publish(...args);
    return this.keep(await Consumption.start(this.link, this.api, options, handler, publish));
  }

  async follow(
    stream: string,
    handler: (m: StoredMessage) => void | Promise<void>,
    options: StoreFollowOptions = {},
  ): Promise<Following> {
    return this.keep(await NatsFollowing.start(this.link, this.api, stream, handler, options));
  }

  bucket<T>(definition: BucketDefinition, parse: BucketParser<T>): Bucket<T> {
    return new StreamBucket(this, definition, parse);
  }

  lease(name: string, holder: string, options: { ttlMs?: number } = {}): Lease {
    return new StreamLease(this, this.bucket(BUCKETS.leases, parseHeld), name, holder, options);
  }

  async ensureStream(definition: StreamDefinition): Promise<void> {
    await this.ensure(streamConfig(definition, this.replicas));
  }

  async ensureBucket(definition: BucketDefinition): Promise<void> {
    await this.ensure(bucketConfig(definition, this.replicas));
  }

  async streamState(stream: string): Promise<StreamState | undefined> {
    const info = await this.api.stream(stream);
    if (info === undefined) return undefined;
    const { messages, bytes, first_seq, last_seq } = info.state;
    return { messages, bytes, firstSequence: first_seq, lastSequence: last_seq };
  }

  async purge(stream: string, subject: string, upTo?: number): Promise<void> {
    // The server keeps what lies at `seq` and after it.
    const bound = upTo === undefined ? {} : { seq: upTo + 1 };
    await this.api.call(`STREAM.PURGE.${stream}`, { filter: subject, ...bound });
  }

  async message(stream: string, sequence: number): Promise<StoredMessage | undefined> {
    return await storedMessage(this.api, stream, { sequence });
  }

  async newest(stream: string, subject: string): Promise<StoredMessage | undefined> {
    return await storedMessage(this.api, stream, { subject });
  }

  async deleteMessage(stream: string, sequence: number): Promise<void> {
    try {
      // Without `no_erase` the server overwrites its place on the disk first: five times the time, with the stream locked (2.15).
      await this.api.call(`STREAM.MSG.DELETE.${stream}`, { seq: sequence, no_erase: true });
    } catch (error) {
      // Gone already is what was wanted; the server has no code of its own for it.
      if (!(error instanceof JetStreamError)) throw error;
      if ((await this.message(stream, sequence)) !== undefined) throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.subscriptions].map((s) => s.drain().catch(() => undefined)));
    await this.link.close();
  }

  private async ensure(wanted: StreamConfig): Promise<void> {
    const there = await this.api.stream(wanted.name);
    if (there === undefined) {
      try {
        await this.api.createStream(wanted);
        return;
      } catch (error) {
        // Another instance was quicker.
        if (!(error instanceof JetStreamError) || error.errorCode !== CODES.streamNameInUse) throw error;
        await this.ensure(wanted);
        return;
      }
    }
    const config = updated(there.config, wanted);
    if (differs(there.config, config)) await this.api.updateStream(config);
  }

  /** Remembers what `close` has to end, until it has been ended. */
  private keep<S extends Subscription>(subscription: S): S {
    this.subscriptions.add(subscription);
    const drain = subscription.drain.bind(subscription);
    subscription.drain = async () => {
      await drain();
      this.subscriptions.delete(subscription);
    };
    return subscription;
  }
}
