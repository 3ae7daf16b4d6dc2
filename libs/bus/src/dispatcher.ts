import type { ConsumeOptions, Outcome, StoredMessage } from './bus.js';
import { reasonOf, type OnAlarm } from './alarm.js';
import type { Clock } from './clock.js';
import { inTrace } from './trace.js';

/** A message that its stream waits for an answer to. */
export interface Delivery {
  readonly message: StoredMessage;
  ack(): void;
  /** To be delivered again after `delayMs`. */
  nak(delayMs: number): void;
  /** Never to be delivered again. */
  term(reason: string): void;
  /** Asks for more time. */
  working(): void;
}

/** Stores a dead letter; rejects when that failed. */
export type Bury = (delivery: Delivery, reason: string) => Promise<void>;

export const DEFAULT_CONCURRENCY = 64;
export const DEFAULT_ACK_WAIT_MS = 30_000;
const DEFAULT_MAX_DELIVERIES = 8;
const DEFAULT_BACKOFF_MS = [100, 500, 2_000, 10_000];
/** How long a message stays that could neither be handled nor stored as a dead letter. */
const BURY_AGAIN_MS = 2_000;

interface Held {
  readonly delivery: Delivery;
  readonly key: string;
  answeredAt: number;
}

/**
 * Hands deliveries to a handler: at most `concurrency` at once, those of one key one after the other in the order
 * they came. Answers each as its outcome says, keeps telling the stream that slow ones are being worked on, and buries
 * what cannot be handled.
 */
export class Dispatcher {
  private readonly waiting = new Map<string, Held[]>();
  private readonly ready: Held[] = [];
  private readonly held = new Set<Held>();
  private running = 0;
  private stopHeartbeat: (() => void) | undefined;
  private whenEmpty: (() => void)[] = [];
  private readonly concurrency: number;
  private readonly ackWaitMs: number;

  constructor(
    private readonly options: ConsumeOptions,
    private readonly handler: (m: StoredMessage) => Promise<Outcome>,
    private readonly parts: { clock: Clock; onAlarm: OnAlarm; bury: Bury; onRoom: () => void },
  ) {
    this.concurrency = options.concurrency ?? DEFAULT_CONCURRENCY;
    this.ackWaitMs = options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS;
  }

  /** How many more deliveries it takes: two for each handler, so that none waits for the network. */
  get room(): number {
    return this.concurrency * 2 - this.held.size;
  }

  take(delivery: Delivery): void {
    const key = this.options.orderBy?.(delivery.message) ?? delivery.message.subject;
    const held = { delivery, key, answeredAt: this.parts.clock.monotonic() };
    this.held.add(held);
    this.stopHeartbeat ??= this.heartbeat();
    const before = this.waiting.get(key);
    if (before === undefined) {
      this.waiting.set(key, []);
      this.ready.push(held);
      this.next();
    } else {
      before.push(held);
    }
  }

  /** Resolves when all that was taken is answered. */
  async idle(): Promise<void> {
    if (this.held.size === 0) return;
    await new Promise<void>((resolve) => this.whenEmpty.push(resolve));
  }

  private next(): void {
    while (this.running < this.concurrency) {
      const held = this.ready.shift();
      if (held === undefined) return;
      this.running++;
      void this.handle(held).finally(() => this.finish(held));
    }
  }

  private finish(held: Held): void {
    this.running--;
    this.held.delete(held);
    const behind = this.waiting.get(held.key)?.shift();
    if (behind === undefined) this.waiting.delete(held.key);
    else this.ready.push(behind);
    this.next();
    if (this.held.size === 0) this.rest();
    this.parts.onRoom();
  }

  private rest(): void {
    this.stopHeartbeat?.();
    this.stopHeartbeat = undefined;
    const waiting = this.whenEmpty;
    this.whenEmpty = [];
    for (const resolve of waiting) resolve();
  }

  private async handle({ delivery }: Held): Promise<void> {
    const { message } = delivery;
    try {
      const outcome = await inTrace(
        () => message.headers,
        () => this.handler(message),
      );
      await this.answer(delivery, outcome);
    } catch (error) {
      const what = `handle ${message.stream} ${message.sequence} for ${this.options.durable}`;
      this.parts.onAlarm({ what, subject: message.subject, error });
      await this.again(delivery, this.backoff(message.deliveries), `threw: ${reasonOf(error)}`);
    }
  }

  private async answer(delivery: Delivery, outcome: Outcome): Promise<void> {
    switch (outcome.kind) {
      case 'done':
        delivery.ack();
        return;
      case 'retry':
        await this.again(delivery, outcome.afterMs, outcome.reason ?? 'retry');
        return;
      case 'reject':
        await this.bury(delivery, outcome.reason);
        return;
      default:
        outcome satisfies never;
    }
  }

  private async again(delivery: Delivery, afterMs: number, reason: string): Promise<void> {
    const most = this.options.maxDeliveries ?? DEFAULT_MAX_DELIVERIES;
    const { deliveries } = delivery.message;
    if (deliveries < most) delivery.nak(afterMs);
    else await this.bury(delivery, `after ${deliveries} deliveries: ${reason}`);
  }

  private async bury(delivery: Delivery, reason: string): Promise<void> {
    try {
      await this.parts.bury(delivery, reason);
      delivery.term(reason);
    } catch (error) {
      // Without its dead letter the message would be lost: it stays until one is stored.
      const { stream, sequence, subject } = delivery.message;
      this.parts.onAlarm({ what: `store the dead letter of ${stream} ${sequence}`, subject, error });
      delivery.nak(BURY_AGAIN_MS);
    }
  }

  private backoff(deliveries: number): number {
    const waits = this.options.backoffMs ?? DEFAULT_BACKOFF_MS;
    return waits[Math.min(deliveries, waits.length) - 1] ?? 1_000;
  }

  private heartbeat(): () => void {
    const everyMs = this.ackWaitMs / 4;
    const beat = () => {
      const before = this.parts.clock.monotonic() - everyMs;
      for (const held of this.held) {
        if (held.answeredAt > before) continue;
        held.answeredAt = this.parts.clock.monotonic();
        held.delivery.working();
      }
      cancel = this.parts.clock.after(everyMs, beat);
    };
    let cancel = this.parts.clock.after(everyMs, beat);
    return () => cancel();
  }
}
