import type { NatsConnection, PublishOptions } from '@nats-io/nats-core';

/** After so long without sending, what comes goes out by itself: nothing says that more is to follow. */
const RESTED_MS = 1;

interface Sending {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly options: PublishOptions;
}

/**
 * What is sent in one turn of the event loop goes out together, in order: each write to the socket is a call of the
 * system, and the client makes one wherever a handler awaits. Nothing waits for a timer: a turn ends when all that has
 * come in is handled. The first after a rest does not wait even for that, so that a single question is under way at once.
 */
export class Outbox {
  private waiting: Sending[] = [];
  private sentAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly connection: NatsConnection) {}

  send(subject: string, data: Uint8Array, options: PublishOptions): void {
    const waited = this.waiting.length > 0;
    this.waiting.push({ subject, data, options });
    if (waited) return;
    if (performance.now() - this.sentAt > RESTED_MS) this.drain();
    else setImmediate(() => this.drain());
  }

  /** Hands everything to the client now; once the connection is being closed it is dropped. */
  drain(): void {
    const { waiting } = this;
    if (waiting.length === 0) return;
    this.waiting = [];
    this.sentAt = performance.now();
    if (this.connection.isClosed() || this.connection.isDraining()) return;
    for (const { subject, data, options } of waiting) this.connection.publish(subject, data, options);
  }

  /** The connection is lost: whoever waits for an answer is told so, and what was not sent is never sent. */
  drop(): void {
    this.waiting = [];
  }
}
