import type { Msg } from '@nats-io/nats-core';
import { headerText } from '../body.js';
import { bury } from '../bury.js';
import type { Bus, ConsumeOptions, Outcome, StoredMessage, Subscription } from '../bus.js';
import { realClock } from '../clock.js';
import { DEFAULT_ACK_WAIT_MS, DEFAULT_CONCURRENCY, Dispatcher, type Delivery } from '../dispatcher.js';
import { LOOK_TIMEOUT_MS, type ConsumerConfig, type JsApi } from './js-api.js';
import type { Link } from './link.js';
import { Puller } from './puller.js';
import { coalesced, retried } from './retried.js';
import { CODES, JetStreamError, type WireStored } from './wire.js';

const NANOS = 1_000_000;
const ACK = Buffer.from('+ACK');
const WORKING = Buffer.from('+WPI');
/** How long a stream may be missing at the start: whoever owns it may still be starting. */
const STREAM_WAIT_MS = 60_000;
/** Messages that all instances together may have unanswered: bounded by their own room, this only catches a fault. */
const MAX_UNANSWERED_PER_HANDLER = 64;
const ENCODER = new TextEncoder();

/** A durable consumption: makes its consumer, and makes it again when it is gone. */
export class Consumption implements Subscription {
  private readonly dispatcher: Dispatcher;
  private puller: Puller | undefined;
  private readonly ended = new AbortController();
  private readonly restart = coalesced(() => this.openAgain());
  private readonly stopListening: () => void;

  private constructor(
    private readonly link: Link,
    private readonly api: JsApi,
    private readonly options: ConsumeOptions,
    handler: (m: StoredMessage) => Promise<Outcome>,
    publish: Bus['publish'],
  ) {
    this.dispatcher = new Dispatcher(options, handler, {
      clock: realClock,
      onAlarm: link.onAlarm,
      bury: (delivery, reason) => bury(publish, options, delivery.message, reason),
      onRoom: () => this.puller?.pull(),
    });
    // Requests for messages end with their connection, and so may the consumer with its server.
    const ends = [
      link.onConnection((connected) => {
        if (connected) this.restart();
      }),
      link.onServerLost(() => void this.serverLost()),
    ];
    this.stopListening = () => ends.forEach((end) => end());
  }

  /** Begins to consume; `Unavailable` when there is no such stream for a minute. */
  static async start(
    link: Link,
    api: JsApi,
    options: ConsumeOptions,
    handler: (m: StoredMessage) => Promise<Outcome>,
    publish: Bus['publish'],
  ): Promise<Consumption> {
    const consumption = new Consumption(link, api, options, handler, publish);
    try {
      await retried(() => consumption.ensure(), { signal: consumption.ended.signal, forMs: STREAM_WAIT_MS });
    } catch (error) {
      consumption.stop();
      throw error;
    }
    consumption.open();
    return consumption;
  }

  async drain(): Promise<void> {
    this.stop();
    await this.puller?.end(true);
    await this.dispatcher.idle();
    await this.link.flush().catch(() => undefined);
  }

  private stop(): void {
    this.ended.abort();
    this.stopListening();
  }

  private async openAgain(): Promise<void> {
    const { signal } = this.ended;
    if (signal.aborted) return;
    await this.puller?.end(false);
    await retried(() => this.present(), {
      signal,
      forMs: Infinity,
      onFailure: (error) => this.alarm(`make consumer ${this.options.durable} again`, error),
    });
    if (!signal.aborted) this.open();
  }

  /** Another server leads the consumer perhaps, but what is on its way still comes: the inbox stays. */
  private async serverLost(): Promise<void> {
    const { signal } = this.ended;
    const { puller } = this;
    await retried(() => this.present(), { signal, forMs: Infinity });
    if (!signal.aborted && puller === this.puller) puller?.pullAgain();
  }

  private open(): void {
    void this.puller?.end(false);
    this.puller = new Puller({
      link: this.link,
      api: this.api,
      stream: this.options.stream,
      consumer: this.options.durable,
      onMessage: (m, raw) => this.dispatcher.take(this.delivery(m, raw)),
      room: () => this.dispatcher.room,
      onGone: () => this.restart(),
    });
    this.puller.pull();
  }

  private delivery(message: WireStored, raw: Msg): Delivery {
    const reply = raw.reply ?? '';
    const answer = (body: Uint8Array) => this.link.say(reply, body);
    return {
      message,
      ack: () => answer(ACK),
      nak: (delayMs) =>
        answer(ENCODER.encode(`-NAK ${JSON.stringify({ delay: Math.round(delayMs * NANOS) })}`)),
      term: (reason) => answer(ENCODER.encode(`+TERM ${headerText(reason, 200)}`)),
      working: () => answer(WORKING),
    };
  }

  /** Resolves when the consumer answers: one with several copies may be between two leaders. One that is gone is made again. */
  private async present(): Promise<void> {
    const { stream, durable } = this.options;
    if ((await this.api.consumer(stream, durable, LOOK_TIMEOUT_MS)) === undefined) await this.ensure();
  }

  private async ensure(): Promise<void> {
    const { stream, durable } = this.options;
    const wanted = durableConfig(this.options);
    try {
      await this.api.putConsumer(stream, durable, wanted);
    } catch (error) {
      if (!(error instanceof JetStreamError)) throw error;
      const there = await this.api.consumer(stream, durable);
      if (there === undefined || error.errorCode === CODES.consumerNotFound) throw error;
      // Where a durable began cannot be changed; what it hears can.
      const { deliver_policy: _from, ...changeable } = wanted;
      await this.api.putConsumer(stream, durable, { ...there.config, ...changeable });
    }
  }

  private alarm(what: string, error: unknown): void {
    this.link.onAlarm({ what, subject: this.options.stream, error });
  }
}

function durableConfig(options: ConsumeOptions): ConsumerConfig {
  const concurrency = options.concurrency ?? DEFAULT_CONCURRENCY;
  const policies = { all: 'all', new: 'new', last: 'last_per_subject' } as const;
  const from = options.from ?? 'all';
  return {
    durable_name: options.durable,
    name: options.durable,
    ack_policy: 'explicit',
    deliver_policy: policies[from],
    ack_wait: (options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS) * NANOS,
    // Counted and buried here, so that the reason is known.
    max_deliver: -1,
    max_ack_pending: Math.max(1_000, concurrency * MAX_UNANSWERED_PER_HANDLER),
    replay_policy: 'instant',
    ...(options.filters === undefined
      ? from === 'last'
        ? { filter_subjects: ['>'] }
        : {}
      : { filter_subjects: options.filters }),
  };
}
