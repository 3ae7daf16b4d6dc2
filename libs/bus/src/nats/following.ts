import { nuid } from '@nats-io/nats-core/internal';
import { pause, realClock } from '../clock.js';
import type { Following, StoredMessage } from '../bus.js';
import { TimedOut, Unavailable } from '../errors.js';
import { Progress } from '../progress.js';
import type { StoreFollowOptions } from '../store.js';
import { LOOK_TIMEOUT_MS, type ConsumerConfig, type JsApi, type StreamInfo } from './js-api.js';
import type { Link } from './link.js';
import { Puller } from './puller.js';
import { coalesced, retried } from './retried.js';
import { storedMessage } from './stored.js';
import type { WireStored } from './wire.js';

/** Messages received and not yet handled, at most. */
const WINDOW = 256;
/** How long the server keeps a consumer that nobody asks. */
const INACTIVE_MS = 60_000;
const STREAM_WAIT_MS = 60_000;
/**
 * How long a consumer may take to be made again, at first and at most, and by how much longer each time that it did not: a hub
 * that has just lost a server gives consumers to that one too, and then nobody answers (2.15.1).
 */
const MAKE_AGAIN_MS = 600;
const MAKE_AGAIN_MAX_MS = 5_000;
const LONGER = 1.5;
/** Between two looks for a stream that is between two leaders. */
const LEADERLESS_MS = 100;
/** An election takes less; longer without a leader is told. */
const ELECTED_MS = 10_000;
/** How often a waiting `reached` looks whether its sequence can still come. */
const LOOK_MS = 200;
const NANOS = 1_000_000;

/**
 * Follows a stream by a consumer of its own that needs no acknowledgements. A gap, a lost connection or a vanished
 * consumer makes a new one behind the last message handled.
 */
export class NatsFollowing implements Following {
  private readonly progress: Progress;
  private puller: Puller | undefined;
  private name = '';
  /** Deliveries of the present consumer received. */
  private received = 0;
  private created: string | undefined;
  private started = false;
  /** Begun again, and not all handled yet of what lay there then: a consumer that is not made, or is lost, changes nothing of that. */
  private restarting = false;
  private looking = false;
  private readonly ended = new AbortController();
  private readonly restart = coalesced(() => this.openAgain());
  private readonly stopListening: () => void;

  private constructor(
    private readonly link: Link,
    private readonly api: JsApi,
    private readonly stream: string,
    handler: (m: StoredMessage) => void | Promise<void>,
    private readonly options: StoreFollowOptions,
  ) {
    this.progress = new Progress({
      handler,
      clock: realClock,
      onAlarm: link.onAlarm,
      onCaughtUp: options.onCaughtUp,
      onRoom: () => this.puller?.pull(),
    });
    const ends = [
      link.onConnection((connected) => {
        if (connected) this.restart();
      }),
      link.onServerLost(() => void this.lookForConsumer()),
    ];
    this.stopListening = () => ends.forEach((end) => end());
  }

  /** Begins to follow; `Unavailable` when there is no such stream for a minute. */
  static async start(
    link: Link,
    api: JsApi,
    stream: string,
    handler: (m: StoredMessage) => void | Promise<void>,
    options: StoreFollowOptions,
  ): Promise<NatsFollowing> {
    const following = new NatsFollowing(link, api, stream, handler, options);
    try {
      const open = async () => await following.open(await api.stream(stream));
      await retried(open, { signal: following.ended.signal, forMs: STREAM_WAIT_MS });
    } catch (error) {
      following.stop();
      throw error;
    }
    return following;
  }

  get position(): number {
    return this.progress.position;
  }

  get caughtUp(): Promise<void> {
    return this.progress.caughtUp;
  }

  async reached(sequence: number, timeoutMs?: number): Promise<void> {
    const reached = this.progress.reached(sequence, timeoutMs);
    if (!this.looking && this.progress.awaited) void this.look();
    await reached;
  }

  async drain(): Promise<void> {
    this.stop();
    this.progress.end();
    await this.puller?.end(false);
    this.progress.clear();
    await this.progress.idle();
    // The server would find out by itself; a consumer left behind costs it a minute of work.
    if (this.link.connected) await this.api.deleteConsumer(this.stream, this.name).catch(() => undefined);
  }

  private stop(): void {
    this.ended.abort();
    this.stopListening();
  }

  private async openAgain(): Promise<void> {
    const { signal } = this.ended;
    if (signal.aborted || !this.started) return;
    await this.puller?.end(false);
    this.progress.clear();
    let timeoutMs = MAKE_AGAIN_MS;
    const open = async () => {
      // Not a failure of what comes after: an election takes seconds, and then there is no time to lose.
      const info = await this.whenLed();
      const within = timeoutMs;
      timeoutMs = Math.min(LONGER * timeoutMs, MAKE_AGAIN_MAX_MS);
      await this.open(info, within);
    };
    await retried(open, {
      signal,
      forMs: Infinity,
      onFailure: (error) => this.link.onAlarm({ what: `follow ${this.stream} again`, error }),
    });
  }

  /** Consumers lie on one server of the hub each, this one perhaps on one that is lost. */
  private async lookForConsumer(): Promise<void> {
    const { name } = this;
    if (!this.started) return;
    const there = await this.api.consumer(this.stream, name, MAKE_AGAIN_MS).catch(() => undefined);
    if (there === undefined && name === this.name) this.restart();
  }

  /** The stream as soon as it has a leader; `TimedOut` when it has none within `ELECTED_MS`. */
  private async whenLed(): Promise<StreamInfo | undefined> {
    const { signal } = this.ended;
    const until = performance.now() + ELECTED_MS;
    for (;;) {
      try {
        return await this.api.stream(this.stream, LOOK_TIMEOUT_MS);
      } catch (error) {
        const leaderless = error instanceof TimedOut && performance.now() < until;
        if (!leaderless || signal.aborted) throw error;
      }
      await pause(realClock, LEADERLESS_MS, signal);
    }
  }

  /** Makes the consumer, on the stream as it was seen just now. */
  private async open(info: StreamInfo | undefined, timeoutMs?: number): Promise<void> {
    if (info === undefined) throw new Unavailable(`follow ${this.stream}: there is no such stream`);
    await this.progress.idle();
    if (this.ended.signal.aborted) return;
    const isAnother = this.isOther(info) || (await this.isRewritten(info));
    const config = this.config(await this.begin(info, isAnother));
    const made = await this.api.putConsumer(this.stream, config.name, config, timeoutMs);
    this.name = config.name;
    this.created = info.created;
    this.started = true;
    this.received = 0;
    this.progress.expect(made.num_pending, this.restarting ? () => this.restarted() : undefined);
    this.pullFrom(config.name);
  }

  private restarted(): void | Promise<void> {
    this.restarting = false;
    return this.options.onRestarted?.();
  }

  /** Where the next consumer begins: a sequence, or the newest of each subject. */
  private async begin(info: StreamInfo, isAnother: boolean): Promise<number | 'last'> {
    const { from = 'last' } = this.options;
    if (!this.started) {
      if (from === 'new') this.progress.position = info.state.last_seq;
      else if (typeof from === 'number') this.progress.position = from - 1;
      return from === 'last' ? 'last' : this.progress.position + 1;
    }
    if (isAnother) {
      await this.options.onRestart?.();
      this.progress.restart();
      this.restarting = true;
    }
    // Nothing handled yet: the newest of each subject is still what was asked for.
    const wantsNewest = from === 'last' || this.restarting;
    return wantsNewest && this.progress.position === 0 ? 'last' : this.progress.position + 1;
  }

  /** Another stream under the old name: what was seen of the old one says nothing about this one. */
  private isOther({ created, state }: StreamInfo): boolean {
    return this.started && (created !== this.created || state.last_seq < this.progress.position);
  }

  /**
   * Whether other messages lie where those lay that were handled last: a server that lost what it had stored last may have
   * stored as many again since. Of those that were replaced or removed nothing can be said. Several servers lose nothing.
   */
  private async isRewritten({ config }: StreamInfo): Promise<boolean> {
    if (Number(config['num_replicas']) > 1) return false;
    const looks = this.progress.recent.map(async ({ sequence, storedAt }) => {
      const there = await storedMessage(this.api, this.stream, { sequence });
      return there !== undefined && there.storedAt !== storedAt;
    });
    return (await Promise.all(looks)).some(Boolean);
  }

  private config(begin: number | 'last'): ConsumerConfig & { name: string } {
    const { filters } = this.options;
    return {
      name: `follow-${nuid.next()}`,
      ack_policy: 'none',
      replay_policy: 'instant',
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: INACTIVE_MS * NANOS,
      ...(this.options.headersOnly === true ? { headers_only: true } : {}),
      ...(begin === 'last'
        ? { deliver_policy: 'last_per_subject', filter_subjects: filters ?? ['>'] }
        : {
            deliver_policy: 'by_start_sequence',
            // The server refuses 0 and takes one past the end for "what comes next".
            opt_start_seq: Math.max(1, begin),
            ...(filters === undefined ? {} : { filter_subjects: filters }),
          }),
    };
  }

  private pullFrom(consumer: string): void {
    this.puller = new Puller({
      link: this.link,
      api: this.api,
      stream: this.stream,
      consumer,
      onMessage: (m) => this.take(m),
      room: () => WINDOW - this.progress.waiting,
      onGone: () => this.restart(),
      onQuiet: () => void this.lookOnce(),
    });
    this.puller.pull();
  }

  private take(m: WireStored): void {
    if (m.delivery !== this.received + 1) {
      // Something got lost on the way; it still lies in the stream.
      this.restart();
      return;
    }
    this.received = m.delivery;
    this.progress.push(m);
  }

  private async look(): Promise<void> {
    this.looking = true;
    const { signal } = this.ended;
    while (this.progress.awaited && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      if (this.progress.awaited) await this.lookOnce();
    }
    this.looking = false;
  }

  /** What was asked for may have been replaced or removed: then no message says so, but the consumer's state does. */
  private async lookOnce(): Promise<void> {
    if (!this.progress.awaited) return;
    try {
      const stream = await this.api.stream(this.stream);
      const consumer = await this.api.consumer(this.stream, this.name);
      if (stream === undefined || consumer === undefined || consumer.num_pending > 0) return;
      if (consumer.delivered.consumer_seq > this.progress.handled) return;
      this.progress.allSeen();
      this.progress.settle(stream.state.last_seq);
    } catch {
      // Looked at again later.
    }
  }
}
