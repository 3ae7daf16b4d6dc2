import type { ConsumeOptions, StoredMessage } from '../bus.js';
import type { Clock } from '../clock.js';
import { DEFAULT_ACK_WAIT_MS, type Delivery } from '../dispatcher.js';
import { matches } from '../subject.js';
import { storedMessage } from './memory-message.js';
import type { Lying, MemoryStream } from './memory-stream.js';

/** One instance that takes deliveries. */
export interface Taker {
  readonly room: number;
  take(delivery: Delivery): void;
}

interface Unanswered {
  deliveries: number;
  /** Calls off what would deliver it again. */
  cancel: () => void;
}

/** What a durable consumer of nats-server does: remembers how far it is and what was not answered, over its instances. */
export class MemoryConsumer {
  private readonly takers = new Set<Taker>();
  private readonly unanswered = new Map<number, Unanswered>();
  /** Due to be delivered again, and how often each was before. */
  private readonly again: { m: Lying; deliveries: number }[] = [];
  /** For `from: 'last'`: what lay there when the consumer was made. */
  private first: Lying[] = [];
  private next: number;
  private filters: readonly string[];
  private ackWaitMs: number;
  private scheduled = false;

  constructor(
    readonly stream: MemoryStream,
    private readonly clock: Clock,
    options: ConsumeOptions,
  ) {
    this.filters = options.filters ?? ['>'];
    this.ackWaitMs = options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS;
    const { from = 'all' } = options;
    this.next = from === 'all' ? 1 : stream.lastSequence + 1;
    if (from === 'last') this.first = stream.newestOfEach((subject) => this.wants(subject));
    stream.onStored(() => this.wake());
  }

  /** Adds an instance; what it hears and how long it may take become those of all. */
  join(taker: Taker, options: ConsumeOptions): () => void {
    this.filters = options.filters ?? ['>'];
    this.ackWaitMs = options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS;
    this.takers.add(taker);
    this.wake();
    return () => this.takers.delete(taker);
  }

  /** Delivers what there is to whoever has room, soon. */
  wake(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.deliver();
    });
  }

  private deliver(): void {
    for (;;) {
      const taker = this.freest();
      if (taker === undefined) return;
      const due = this.again.shift();
      const m = due?.m ?? this.fresh();
      if (m === undefined) return;
      if (!m.removed) taker.take(this.delivery(m, (due?.deliveries ?? 0) + 1));
    }
  }

  /** The instance with the most room, so that the work is shared. */
  private freest(): Taker | undefined {
    let best: Taker | undefined;
    for (const taker of this.takers) {
      if (taker.room > Math.max(0, best?.room ?? 0)) best = taker;
    }
    return best;
  }

  private fresh(): Lying | undefined {
    const early = this.first.shift();
    if (early !== undefined) return early;
    for (const m of this.stream.from(this.next)) {
      this.next = m.sequence + 1;
      if (this.wants(m.subject)) return m;
    }
    this.next = Math.max(this.next, this.stream.lastSequence + 1);
    return undefined;
  }

  private wants(subject: string): boolean {
    return this.filters.some((filter) => matches(filter, subject));
  }

  private delivery(m: Lying, deliveries: number): Delivery {
    const held: Unanswered = { deliveries, cancel: () => undefined };
    const wait = () => {
      held.cancel();
      held.cancel = this.clock.after(this.ackWaitMs, () => this.redeliver(m, held));
    };
    this.unanswered.set(m.sequence, held);
    wait();
    const message: StoredMessage = storedMessage(this.stream, m, {
      deliveries,
      pending: () => this.pending(),
    });
    return {
      message,
      working: wait,
      ack: () => this.finish(m, held),
      term: () => this.finish(m, held),
      nak: (delayMs) => {
        held.cancel();
        held.cancel = this.clock.after(delayMs, () => this.redeliver(m, held));
      },
    };
  }

  private redeliver(m: Lying, held: Unanswered): void {
    if (this.unanswered.get(m.sequence) !== held) return;
    this.unanswered.delete(m.sequence);
    this.again.push({ m, deliveries: held.deliveries });
    this.wake();
  }

  private finish(m: Lying, held: Unanswered): void {
    // Answered by whoever had it before: the later delivery counts.
    if (this.unanswered.get(m.sequence) !== held) return;
    held.cancel();
    this.unanswered.delete(m.sequence);
    if (this.stream.config.workQueue) this.stream.remove(m);
  }

  private pending(): number {
    let count = this.first.length;
    for (const m of this.stream.from(this.next)) if (this.wants(m.subject)) count++;
    return count;
  }
}
