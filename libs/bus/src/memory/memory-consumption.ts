import type { OnAlarm } from '../alarm.js';
import { bury } from '../bury.js';
import type { Bus, ConsumeOptions, Outcome, StoredMessage, Subscription } from '../bus.js';
import type { Clock } from '../clock.js';
import { Dispatcher, type Delivery } from '../dispatcher.js';
import { MemoryConsumer, type Taker } from './memory-consumer.js';
import type { MemoryServer } from './memory-server.js';

/** One instance's part in a durable consumption. */
export class MemoryConsumption implements Subscription, Taker {
  private readonly dispatcher: Dispatcher;
  private consumer: MemoryConsumer | undefined;
  private leave: (() => void) | undefined;
  private ended = false;

  constructor(
    private readonly server: MemoryServer,
    private readonly options: ConsumeOptions,
    handler: (m: StoredMessage) => Promise<Outcome>,
    private readonly parts: {
      clock: Clock;
      onAlarm: OnAlarm;
      publish: Bus['publish'];
      connected: () => boolean;
    },
  ) {
    this.dispatcher = new Dispatcher(options, handler, {
      clock: parts.clock,
      onAlarm: parts.onAlarm,
      bury: (delivery, reason) => bury(parts.publish, options, delivery.message, reason),
      onRoom: () => this.consumer?.wake(),
    });
  }

  get room(): number {
    return this.dispatcher.room;
  }

  take(delivery: Delivery): void {
    const when = (act: () => void) => {
      // An answer that is given while cut off does not arrive.
      if (this.parts.connected()) act();
    };
    this.dispatcher.take({
      message: delivery.message,
      ack: () => when(() => delivery.ack()),
      nak: (delayMs) => when(() => delivery.nak(delayMs)),
      term: (reason) => when(() => delivery.term(reason)),
      working: () => when(() => delivery.working()),
    });
  }

  /** Whether it takes part in consuming the stream that now has its name. */
  get isAttached(): boolean {
    const stream = this.server.streams.get(this.options.stream);
    return this.leave !== undefined && this.consumer?.stream === stream;
  }

  /** Joins the durable, which is made when it is not there. */
  attach(): void {
    this.detach();
    const stream = this.server.streams.get(this.options.stream);
    if (stream === undefined || this.ended) return;
    const { durable } = this.options;
    const there = stream.consumers.get(durable);
    this.consumer = there ?? new MemoryConsumer(stream, this.parts.clock, this.options);
    stream.consumers.set(durable, this.consumer);
    this.leave = this.consumer.join(this, this.options);
  }

  /** Gets nothing more until attached again. */
  detach(): void {
    this.leave?.();
    this.leave = undefined;
  }

  async drain(): Promise<void> {
    this.ended = true;
    this.detach();
    await this.dispatcher.idle();
  }
}
