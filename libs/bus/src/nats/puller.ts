import type { Msg, Subscription } from '@nats-io/nats-core';
import { createInbox } from '@nats-io/nats-core';
import { encodeBody } from '../body.js';
import { LOOK_TIMEOUT_MS, type JsApi } from './js-api.js';
import type { Link } from './link.js';
import { WireStored } from './wire.js';

/** How long the server keeps a request for messages. */
const EXPIRES_MS = 30_000;
/** How often the server says that it still keeps one. */
const HEARTBEAT_MS = 5_000;
/** Silence after which the consumer is looked for. */
const SILENCE_MS = 2 * HEARTBEAT_MS + 1_000;
const NANOS = 1_000_000;
const CONSUMER_GONE = /consumer (?:deleted|not found)|stream (?:deleted|not found)/i;

export interface PullerOptions {
  link: Link;
  api: JsApi;
  stream: string;
  consumer: string;
  onMessage: (m: WireStored, raw: Msg) => void;
  /** How many more messages the taker has room for. */
  room: () => number;
  /** The consumer seems to be gone, or its messages got lost: make it again. Called at most once. */
  onGone: () => void;
  /** The server has nothing to send at the moment. */
  onQuiet?: () => void;
}

/**
 * Keeps requests for messages open at a pull consumer, for as many as the taker has room for, so that new messages
 * come at once and never more than asked for.
 */
export class Puller {
  private readonly inbox: string;
  private readonly subscription: Subscription;
  private readonly watchdog: NodeJS.Timeout;
  private outstanding = 0;
  private heardAt = performance.now();
  private ended = false;

  constructor(private readonly options: PullerOptions) {
    this.inbox = createInbox(options.link.inboxPrefix);
    this.subscription = options.link.subscribe(this.inbox, {
      callback: (error, m) => {
        if (error === null) this.received(m);
        else this.gone();
      },
    });
    this.watchdog = setInterval(() => this.watch(), HEARTBEAT_MS);
    this.watchdog.unref();
  }

  /** Asks for as much as there is room for, unless little was taken since the last time. */
  pull(): void {
    const { room, link, api, stream, consumer } = this.options;
    const batch = room() - this.outstanding;
    if (this.ended || batch <= 0 || batch < this.outstanding || !link.connected) return;
    this.outstanding += batch;
    const request = { batch, expires: EXPIRES_MS * NANOS, idle_heartbeat: HEARTBEAT_MS * NANOS };
    link.say(
      api.subject(`CONSUMER.MSG.NEXT.${stream}.${consumer}`),
      encodeBody(request),
      undefined,
      this.inbox,
    );
  }

  /** The consumer may be led by another server now, which knows nothing of what was asked for. */
  pullAgain(): void {
    this.outstanding = 0;
    this.pull();
  }

  /** Ends. With `drain` the messages already on their way still come. */
  async end(drain: boolean): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    clearInterval(this.watchdog);
    if (this.subscription.isClosed()) return;
    if (drain && this.options.link.connected) await this.subscription.drain();
    else this.subscription.unsubscribe();
  }

  private received(m: Msg): void {
    this.heardAt = performance.now();
    const { reply } = m;
    if (reply === undefined || !reply.startsWith('$JS.ACK.')) {
      this.status(m);
      return;
    }
    this.outstanding = Math.max(0, this.outstanding - 1);
    this.options.onMessage(new WireStored(m, reply), m);
    this.pull();
  }

  private status(m: Msg): void {
    const { headers } = m;
    if (headers === undefined) return;
    const { code, description } = headers;
    if (code === 100) {
      this.options.onQuiet?.();
      return;
    }
    if (code === 503 || (code === 409 && CONSUMER_GONE.test(description))) {
      this.gone();
      return;
    }
    // The request is over: 404 and 408 in the ordinary way, 409 when limits or a leader changed.
    const left = headers.get('Nats-Pending-Messages');
    this.outstanding = left === '' ? 0 : Math.max(0, this.outstanding - Number(left));
    if (code === 409) setTimeout(() => this.pull(), 100).unref();
    else this.pull();
  }

  private watch(): void {
    if (!this.options.link.connected) {
      this.heardAt = performance.now();
      return;
    }
    if (this.outstanding > 0 && performance.now() - this.heardAt > SILENCE_MS) void this.check();
    this.pull();
  }

  private async check(): Promise<void> {
    const { api, stream, consumer } = this.options;
    this.heardAt = performance.now();
    try {
      if ((await api.consumer(stream, consumer, LOOK_TIMEOUT_MS)) === undefined) return this.gone();
      this.pullAgain();
    } catch {
      // It may have lain on a server that is gone.
      this.gone();
    }
  }

  private gone(): void {
    if (this.ended) return;
    void this.end(false);
    this.options.onGone();
  }
}
