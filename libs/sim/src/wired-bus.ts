import {
  MemoryBus,
  parseHeld,
  pause,
  StreamBucket,
  StreamLease,
  TimedOut,
  Unavailable,
  type BatchItem,
  type Body,
  type Bucket,
  type Bus,
  type Clock,
  type ConsumeOptions,
  type Following,
  type Headers,
  type Lease,
  type Message,
  type OnAlarm,
  type Outcome,
  type PublishAck,
  type PublishOptions,
  type Store,
  type StoredMessage,
  type StoreFollowOptions,
  type StreamState,
  type Subscription,
} from '@skerry/bus';
import { BUCKETS, type BucketDefinition, type StreamDefinition } from '@skerry/contracts';
import type { Link } from './link.js';
import type { SimServer } from './sim-server.js';
import { carryOver, Crossing } from './crossing.js';

const TIMEOUT_MS = 5_000;

/**
 * A process's bus over a simulated connection: everything takes its time to the server and back, and is lost when the
 * connection breaks. What the process hears runs in its own events.
 */
export class WiredBus implements Bus, Store {
  readonly clock: Clock;
  readonly onAlarm: OnAlarm;
  private readonly inner: MemoryBus;
  private readonly crossing: Crossing;
  private readonly connectionListeners = new Set<(connected: boolean) => void>();
  private readonly subscriptions = new Set<Subscription>();
  private isConnected: boolean;
  private closed = false;

  constructor(
    private readonly link: Link,
    server: SimServer,
    options: { onAlarm: OnAlarm },
  ) {
    this.clock = link.client;
    this.onAlarm = options.onAlarm;
    this.inner = new MemoryBus(server.memory, { onAlarm: options.onAlarm });
    this.crossing = new Crossing(link);
    this.isConnected = link.connected;
    if (!link.connected) this.inner.cut();
    link.onState((open) => this.turn(open));
    link.client.onKilled(() => this.inner.cut());
  }

  get connected(): boolean {
    return this.isConnected;
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    this.connectionListeners.add(listener);
    return () => this.connectionListeners.delete(listener);
  }

  publish(subject: string, body: Body, options: PublishOptions = {}): Promise<PublishAck> {
    const bytes = encode(body);
    return this.ask(subject, (bus) => bus.publish(subject, bytes, options), options.timeoutMs);
  }

  publishBatch(items: BatchItem[]): Promise<PublishAck> {
    const encoded = items.map((item) => ({ ...item, body: encode(item.body) }));
    return this.ask('batch', (bus) => bus.publishBatch(encoded));
  }

  say(subject: string, body: Body, options: { headers?: Headers } = {}): void {
    const bytes = encode(body);
    this.link.send('up', () => this.inner.say(subject, bytes, options));
  }

  request(
    subject: string,
    body: Body,
    options: { headers?: Headers; timeoutMs?: number } = {},
  ): Promise<Message> {
    const bytes = encode(body);
    return this.ask(subject, (bus) => bus.request(subject, bytes, options), options.timeoutMs);
  }

  respond(
    subject: string,
    handler: (m: Message) => Promise<Body> | Body,
    options: { queue?: string } = {},
  ): Subscription {
    const there = (m: Message) => this.crossing.round(async () => encode(await handler(m)));
    return this.keep(this.inner.respond(subject, there, options));
  }

  listen(
    subject: string,
    handler: (m: Message & { reply?: (body: Body) => void }) => void,
    options: { queue?: string } = {},
  ): Subscription {
    const there = (m: Message & { reply?: (body: Body) => void }) => {
      const { reply } = m;
      const back =
        reply &&
        ((body: Body) => {
          const bytes = encode(body);
          this.link.send('up', () => reply(bytes));
        });
      this.link.send('down', () => handler(back === undefined ? m : { ...m, reply: back }));
    };
    return this.keep(this.inner.listen(subject, there, options));
  }

  async consume(
    options: ConsumeOptions,
    handler: (m: StoredMessage) => Promise<Outcome>,
  ): Promise<Subscription> {
    // What breaks on its way is delivered again by the server: nobody hears this answer.
    const lost: Outcome = { kind: 'retry', afterMs: 0 };
    let ended = false;
    const there = (m: StoredMessage) => this.crossing.round(() => (ended ? lost : handler(m)), lost);
    return this.keep(
      await this.subscribed(options.stream, (bus) => bus.consume(options, there)),
      () => (ended = true),
    );
  }

  async follow(
    stream: string,
    handler: (m: StoredMessage) => void | Promise<void>,
    options: StoreFollowOptions = {},
  ): Promise<Following> {
    const { onCaughtUp, onRestart, onRestarted } = options;
    let ended = false;
    const there = (m: StoredMessage) => this.crossing.deliver(() => (ended ? undefined : handler(m)));
    const wired: StoreFollowOptions = {
      ...options,
      ...(onCaughtUp && { onCaughtUp: () => void this.crossing.deliver(onCaughtUp) }),
      ...(onRestart && { onRestart: () => this.crossing.deliver(onRestart) }),
      ...(onRestarted && { onRestarted: () => this.crossing.deliver(onRestarted) }),
    };
    const inner = await this.subscribed(stream, (bus) => bus.follow(stream, there, wired));
    const caughtUp = this.crossing.home(inner.caughtUp);
    // Most do not wait for it.
    caughtUp.catch(() => undefined);
    const following: Following = {
      get position() {
        return inner.position;
      },
      caughtUp,
      reached: (sequence, timeoutMs) => this.crossing.home(inner.reached(sequence, timeoutMs)),
      drain: () => inner.drain(),
    };
    return this.keep(following, () => (ended = true));
  }

  bucket<T>(definition: BucketDefinition, parse: (value: unknown) => T): Bucket<T> {
    return new StreamBucket(this, definition, parse);
  }

  lease(name: string, holder: string, options: { ttlMs?: number } = {}): Lease {
    return new StreamLease(this, this.bucket(BUCKETS.leases, parseHeld), name, holder, options);
  }

  ensureStream(definition: StreamDefinition): Promise<void> {
    return this.ask(definition.name, (bus) => bus.ensureStream(definition));
  }

  ensureBucket(definition: BucketDefinition): Promise<void> {
    return this.ask(definition.name, (bus) => bus.ensureBucket(definition));
  }

  streamState(stream: string): Promise<StreamState | undefined> {
    return this.ask(stream, (bus) => bus.streamState(stream));
  }

  purge(stream: string, subject: string, upTo?: number): Promise<void> {
    return this.ask(stream, (bus) => bus.purge(stream, subject, upTo));
  }

  message(stream: string, sequence: number): Promise<StoredMessage | undefined> {
    return this.ask(stream, (bus) => bus.message(stream, sequence));
  }

  newest(stream: string, subject: string): Promise<StoredMessage | undefined> {
    return this.ask(stream, (bus) => bus.newest(stream, subject));
  }

  deleteMessage(stream: string, sequence: number): Promise<void> {
    return this.ask(stream, (bus) => bus.deleteMessage(stream, sequence));
  }

  async close(): Promise<void> {
    await Promise.all([...this.subscriptions].map((s) => s.drain()));
    this.closed = true;
    this.inner.cut();
    this.link.end();
    this.isConnected = false;
  }

  private turn(open: boolean): void {
    if (this.closed) return;
    if (open) this.inner.heal();
    else this.inner.cut();
    this.crossing.turn(open);
    this.link.client.timeline.after(0, this.link.client, () => {
      if (this.isConnected === open) return;
      this.isConnected = open;
      for (const listener of this.connectionListeners) listener(open);
    });
  }

  /** Asks the server for something; what it answers comes back, or nothing does. */
  private async ask<T>(
    what: string,
    question: (bus: MemoryBus) => Promise<T>,
    timeoutMs = TIMEOUT_MS,
  ): Promise<T> {
    await this.ready(what, timeoutMs);
    return await new Promise<T>((resolve, reject) => {
      const late = () => new TimedOut(`${what}: no answer in time; it may have happened`);
      const cancel = timeoutMs === Infinity ? () => undefined : this.clock.after(timeoutMs, () => end(late));
      const stopHearing = this.crossing.onBreak(() => end(late));
      const end = (error: () => unknown) => {
        cancel();
        stopHearing();
        reject(error());
      };
      // Gone already, and this process, which stood still, has not heard of that yet: nothing else would end what waits for ever.
      if (timeoutMs === Infinity && !this.link.connected)
        this.link.client.timeline.after(0, this.link.client, () => end(late));
      this.link.send('up', () => {
        carryOver(question(this.inner), (settle) => this.link.send('down', settle), {
          resolve: (value) => {
            cancel();
            stopHearing();
            resolve(value);
          },
          reject: (error) => end(() => error),
        });
      });
    });
  }

  /** Of one whose answer is lost the client hears nothing: it has not asked for more, and the server sends it none. */
  private async subscribed<S extends Subscription>(
    what: string,
    question: (bus: MemoryBus) => Promise<S>,
  ): Promise<S> {
    let lost = false;
    let made: S | undefined;
    const asked = async (bus: MemoryBus) => {
      made = await question(bus);
      if (lost) void made.drain();
      return made;
    };
    try {
      return await this.ask(what, asked, Infinity);
    } catch (error) {
      lost = true;
      void made?.drain();
      throw error;
    }
  }

  private async ready(what: string, timeoutMs: number): Promise<void> {
    await Promise.resolve();
    while (!this.isConnected) {
      if (this.closed) throw new Unavailable(`${what}: not connected`);
      const healed = new AbortController();
      const stop = this.onConnection(() => healed.abort());
      const wait = timeoutMs === Infinity ? 2 ** 40 : timeoutMs;
      await pause(this.clock, wait, healed.signal);
      stop();
      if (!this.isConnected && !healed.signal.aborted) throw new Unavailable(`${what}: not connected`);
    }
  }

  private keep<S extends Subscription>(subscription: S, onEnd: () => void = () => undefined): S {
    this.subscriptions.add(subscription);
    const drain = subscription.drain.bind(subscription);
    // Not waited for at the server: what is under way there hears of this end by the connection.
    subscription.drain = () => {
      onEnd();
      this.subscriptions.delete(subscription);
      void drain();
      return Promise.resolve();
    };
    return subscription;
  }
}

function encode(body: Body): Uint8Array {
  return body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body));
}
