import type { NatsConnection, PublishOptions } from '@nats-io/nats-core';

interface Sending {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly options: PublishOptions;
}

/**
 * What is sent in one turn of the event loop goes out together, in order: each write to the socket is a call of the
 * system, and the client makes one wherever a handler awaits. Nothing waits for a timer: a turn ends when all that has
 * come in is handled.
 */
export class Outbox {
  private waiting: Sending[] = [];

  constructor(private readonly connection: NatsConnection) {}

  send(subject: string, data: Uint8Array, options: PublishOptions): void {
    if (this.waiting.length === 0) setImmediate(() => this.drain());
    this.waiting.push({ subject, data, options });
  }

  /** Hands everything to the client now; once the connection is being closed it is dropped. */
  drain(): void {
    const { waiting } = this;
    this.waiting = [];
    if (this.connection.isClosed() || this.connection.isDraining()) return;
    for (const { subject, data, options } of waiting) this.connection.publish(subject, data, options);
  }

  /** The connection is lost: whoever waits for an answer is told so, and what was not sent is never sent. */
  drop(): void {
    this.waiting = [];
  }
}
