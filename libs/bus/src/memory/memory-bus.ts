import { randomUUID } from 'node:crypto';
import { BUCKETS, Refusal, type BucketDefinition, type StreamDefinition } from '@skerry/contracts';
import { warn, type OnAlarm } from '../alarm.js';
import { encodeBody, requireHeaders, requireSize } from '../body.js';
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
import { pause, type Clock } from '../clock.js';
import { TimedOut, Unavailable } from '../errors.js';
import { StreamLease, parseHeld } from '../lease.js';
import { TIMEOUT_MS, outgoing, outgoingBatch } from '../outgoing.js';
import { accepted, refused } from '../refusals.js';
import type { Store, StoreFollowOptions } from '../store.js';
import { requireFilter, requireSubject } from '../subject.js';
import { inTrace, withTrace } from '../trace.js';
import { MemoryConsumption } from './memory-consumption.js';
import { MemoryFollowing } from './memory-following.js';
import { plainMessage, storedMessage } from './memory-message.js';
import type { MemoryServer, Reply } from './memory-server.js';
import type { Lying, MemoryStream } from './memory-stream.js';

/** Answers go to who asked, in whatever place that may be. */
const MEMORY_INBOX = '_INBOX.memory';
/** How long a stream may be missing at the start, as over NATS. */
const STREAM_WAIT_MS = 60_000;

/** A bus in this process; those on one server meet there. `cut` and `heal` take its connection away and give it back. */
export class MemoryBus implements Bus, Store {
  readonly onAlarm: OnAlarm;
  readonly clock: Clock;
  private isConnected = true;
  private closed = false;
  private readonly connectionListeners = new Set<(connected: boolean) => void>();
  private readonly subscriptions = new Set<Subscription>();
  private readonly followings = new Set<MemoryFollowing>();
  private readonly consumptions = new Set<MemoryConsumption>();
  private readonly stopStreams: () => void;

  constructor(
    private readonly server: MemoryServer,
    options: { onAlarm?: OnAlarm } = {},
  ) {
    this.clock = server.clock;
    this.onAlarm = options.onAlarm ?? warn;
    this.stopStreams = server.onStreams(() => this.reattach());
  }

  get connected(): boolean {
    return this.isConnected;
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    this.connectionListeners.add(listener);
    return () => this.connectionListeners.delete(listener);
  }

  /** Takes the connection away: what is sent meanwhile waits or fails, what is said is lost. */
  cut(): void {
    this.turn(false);
  }

  heal(): void {
    if (!this.closed) this.turn(true);
  }

  async publish(subject: string, body: Body, options: PublishOptions = {}): Promise<PublishAck> {
    const out = outgoing(subject, body, options);
    requireSize(subject, out.bytes, out.headers);
    await this.ready(subject, options.timeoutMs);
    return this.streamOf(subject).publish(out);
  }

  async publishBatch(items: BatchItem[]): Promise<PublishAck> {
    const [first] = items;
    if (first !== undefined && items.length === 1)
      return await this.publish(first.subject, first.body, first);
    const messages = outgoingBatch(items, randomUUID());
    for (const m of messages) requireSize(m.subject, m.bytes, m.headers);
    const subject = first?.subject ?? '';
    await this.ready(subject);
    return this.streamOf(subject).publishAll(messages);
  }

  say(subject: string, body: Body, options: { headers?: Headers } = {}): void {
    const headers = requireHeaders(withTrace(options.headers));
    const bytes = encodeBody(body);
    requireSize(requireSubject(subject), bytes, headers);
    if (this.isConnected) this.server.say(plainMessage(subject, bytes, headers));
  }

  async request(
    subject: string,
    body: Body,
    options: { headers?: Headers; timeoutMs?: number } = {},
  ): Promise<Message> {
    const { timeoutMs = TIMEOUT_MS } = options;
    const headers = requireHeaders(withTrace(options.headers));
    const bytes = encodeBody(body);
    requireSize(requireSubject(subject), bytes, headers);
    await this.ready(subject, timeoutMs);
    const answer = new Promise<Message>((resolve, reject) => {
      const cancel = this.clock.after(timeoutMs, () => {
        reject(new TimedOut(`${subject}: no answer in time; it may have happened`));
      });
      const reply: Reply = (data, answerHeaders) => {
        cancel();
        if (this.isConnected) resolve(plainMessage(subject, data, answerHeaders));
      };
      if (this.server.say(plainMessage(subject, bytes, headers), reply) > 0) return;
      cancel();
      reject(new Unavailable(`nobody answers on ${subject}`));
    });
    return accepted(await answer);
  }

  respond(
    subject: string,
    handler: (m: Message) => Promise<Body> | Body,
    options: { queue?: string } = {},
  ): Subscription {
    const answer = async (m: Message, reply: Reply | undefined) => {
      try {
        const body = await inTrace(
          () => m.headers,
          () => handler(m),
        );
        if (this.isConnected) reply?.(encodeBody(body), {});
      } catch (error) {
        const known = error instanceof Refusal;
        if (!known) this.onAlarm({ what: `answer ${subject}`, subject: m.subject, error });
        const { body, headers } = refused(error);
        if (this.isConnected) reply?.(encodeBody(body), headers);
      }
    };
    return this.hear(subject, options.queue, answer);
  }

  listen(
    subject: string,
    handler: (m: HeardMessage) => void,
    options: { queue?: string } = {},
  ): Subscription {
    return this.hear(subject, options.queue, (m, reply) => {
      const answer: HeardMessage['reply'] = (body, { headers = {} } = {}) => {
        if (this.isConnected) reply?.(encodeBody(body), requireHeaders(headers));
      };
      try {
        inTrace(
          () => m.headers,
          () => handler(reply === undefined ? m : { ...m, replyTo: MEMORY_INBOX, reply: answer }),
        );
      } catch (error) {
        this.onAlarm({ what: `hear ${subject}`, subject: m.subject, error });
      }
      return undefined;
    });
  }

  async consume(
    options: ConsumeOptions,
    handler: (m: StoredMessage) => Promise<Outcome>,
  ): Promise<Subscription> {
    await this.streamThere(options.stream);
    const publish: Bus['publish'] = (...args) => this.publish(...args);
    const parts = { clock: this.clock, onAlarm: this.onAlarm, publish, connected: () => this.isConnected };
    const consumption = new MemoryConsumption(this.server, options, handler, parts);
    this.consumptions.add(consumption);
    consumption.attach();
    return this.keep(consumption, () => this.consumptions.delete(consumption));
  }

  async follow(
    stream: string,
    handler: (m: StoredMessage) => void | Promise<void>,
    options: StoreFollowOptions = {},
  ): Promise<Following> {
    for (const filter of options.filters ?? []) requireFilter(filter);
    await this.streamThere(stream);
    const following = new MemoryFollowing(this.server, stream, handler, options, this.onAlarm);
    this.followings.add(following);
    await following.attach();
    return this.keep(following, () => this.followings.delete(following));
  }

  bucket<T>(definition: BucketDefinition, parse: BucketParser<T>): Bucket<T> {
    return new StreamBucket(this, definition, parse);
  }

  lease(name: string, holder: string, options: { ttlMs?: number } = {}): Lease {
    return new StreamLease(this, this.bucket(BUCKETS.leases, parseHeld), name, holder, options);
  }

  async ensureStream(definition: StreamDefinition): Promise<void> {
    await this.ready(definition.name);
    this.server.ensureStream(definition);
  }

  async ensureBucket(definition: BucketDefinition): Promise<void> {
    await this.ready(definition.name);
    this.server.ensureBucket(definition);
  }

  async streamState(stream: string): Promise<StreamState | undefined> {
    await this.ready(stream);
    return this.server.streams.get(stream)?.state();
  }

  async purge(stream: string, subject: string, upTo?: number): Promise<void> {
    await this.ready(stream);
    this.existing(stream).purge(requireFilter(subject), upTo);
  }

  async message(stream: string, sequence: number): Promise<StoredMessage | undefined> {
    await this.ready(stream);
    return stored(this.existing(stream), (s) => s.at(sequence));
  }

  async newest(stream: string, subject: string): Promise<StoredMessage | undefined> {
    await this.ready(stream);
    return stored(this.existing(stream), (s) => s.newest(subject));
  }

  async deleteMessage(stream: string, sequence: number): Promise<void> {
    await this.ready(stream);
    const there = this.existing(stream);
    const m = there.at(sequence);
    if (m !== undefined) there.remove(m);
  }

  async close(): Promise<void> {
    await Promise.all([...this.subscriptions].map((s) => s.drain()));
    this.closed = true;
    this.stopStreams();
    this.turn(false);
  }

  private hear(
    subject: string,
    queue: string | undefined,
    handle: (m: Message, reply: Reply | undefined) => Promise<void> | undefined,
  ): Subscription {
    const running = new Set<Promise<void>>();
    const hear = (m: Message, reply: Reply | undefined) => {
      const handling = this.isConnected ? handle(m, reply) : undefined;
      if (handling === undefined) return;
      running.add(handling);
      void handling.finally(() => running.delete(handling));
    };
    const stop = this.server.hear({
      filter: requireFilter(subject),
      queue,
      hear,
      here: () => this.isConnected,
    });
    const drain = async () => {
      stop();
      await Promise.all(running);
    };
    return this.keep({ drain });
  }

  private turn(connected: boolean): void {
    if (connected === this.isConnected) return;
    this.isConnected = connected;
    this.reattach();
    for (const listener of this.connectionListeners) listener(connected);
  }

  private reattach(): void {
    for (const part of [...this.followings, ...this.consumptions]) {
      if (!this.isConnected) part.detach();
      else if (!part.isAttached) void part.attach();
    }
  }

  /** Takes a turn of its own, as a round trip does, and waits for the connection. */
  private async ready(what: string, timeoutMs = TIMEOUT_MS): Promise<void> {
    await Promise.resolve();
    if (this.isConnected) return;
    const healed = new AbortController();
    const stop = this.onConnection(() => healed.abort());
    if (!this.closed) await pause(this.clock, timeoutMs, healed.signal);
    stop();
    if (!this.isConnected) throw new Unavailable(`${what}: not connected`);
  }

  private async streamThere(name: string): Promise<void> {
    await this.ready(name, STREAM_WAIT_MS);
    if (this.server.streams.has(name)) return;
    const there = new AbortController();
    const stop = this.server.onStreams(() => {
      if (this.server.streams.has(name)) there.abort();
    });
    await pause(this.clock, STREAM_WAIT_MS, there.signal);
    stop();
    this.existing(name);
  }

  private existing(name: string): MemoryStream {
    const stream = this.server.streams.get(name);
    if (stream === undefined) throw new Unavailable(`there is no stream ${name}`);
    return stream;
  }

  private streamOf(subject: string): MemoryStream {
    const stream = this.server.streamOf(subject);
    if (stream === undefined) throw new Unavailable(`nobody answers on ${subject}`);
    return stream;
  }

  private keep<S extends Subscription>(subscription: S, ended?: () => void): S {
    this.subscriptions.add(subscription);
    const drain = subscription.drain.bind(subscription);
    subscription.drain = async () => {
      await drain();
      this.subscriptions.delete(subscription);
      ended?.();
    };
    return subscription;
  }
}

function stored(
  stream: MemoryStream,
  find: (s: MemoryStream) => Lying | undefined,
): StoredMessage | undefined {
  const m = find(stream);
  return m === undefined ? undefined : storedMessage(stream, m, { deliveries: 1, pending: () => 0 });
}
