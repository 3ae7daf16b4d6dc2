import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/nats-core';
import { createInbox } from '@nats-io/nats-core';
import { Forbidden, TimedOut, Unavailable } from '../errors.js';
import type { Outbox } from './outbox.js';

const SWEEP_MS = 100;
/** Questions without an answer yet; more are refused, since nobody seems to answer. */
const MAX_OPEN = 65_536;

interface Ask {
  subject: string;
  deadline: number;
  resolve: (m: Msg) => void;
  reject: (error: Error) => void;
}

/**
 * Questions and their answers over one inbox, with one timer for all of them. The client's own request takes a timer
 * and a stack trace each, which makes it four times slower for a stream of publishes.
 */
export class Asks {
  private readonly prefix: string;
  private readonly open = new Map<string, Ask>();
  private count = 0;
  private sweeper: NodeJS.Timeout | undefined;

  constructor(
    connection: NatsConnection,
    private readonly outbox: Outbox,
    inboxPrefix: string | undefined,
  ) {
    this.prefix = `${createInbox(inboxPrefix)}.`;
    connection.subscribe(`${this.prefix}*`, { callback: (_error, m) => this.answered(m) });
  }

  /** Sends and waits. `Unavailable` when nobody listens, `TimedOut` when no answer came in time. */
  ask(subject: string, data: Uint8Array, headers: MsgHdrs | undefined, timeoutMs: number): Promise<Msg> {
    if (this.open.size >= MAX_OPEN) {
      return Promise.reject(
        new Unavailable(`${subject}: ${MAX_OPEN} requests without an answer yet (limit openRequests)`),
      );
    }
    return new Promise((resolve, reject) => {
      const id = (this.count++).toString(36);
      this.open.set(id, { subject, deadline: performance.now() + timeoutMs, resolve, reject });
      this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS);
      const reply = this.prefix + id;
      this.outbox.send(subject, data, headers === undefined ? { reply } : { reply, headers });
    });
  }

  /** The connection is gone, and with it every answer: what was asked may or may not have happened. */
  lost(): void {
    for (const [id, { subject, reject }] of this.open) {
      this.open.delete(id);
      reject(new TimedOut(`${subject}: connection lost before the answer; it may have happened`));
    }
    this.rest();
  }

  /** The server lets nobody publish to this subject. */
  forbidden(subject: string): void {
    for (const [id, ask] of this.open) {
      if (ask.subject !== subject) continue;
      this.open.delete(id);
      ask.reject(new Forbidden(`publish to ${subject}: the server does not permit it`));
    }
  }

  private answered(m: Msg): void {
    const id = m.subject.slice(this.prefix.length);
    const ask = this.open.get(id);
    if (ask === undefined) return;
    this.open.delete(id);
    if (this.open.size === 0) this.rest();
    if (m.data.length === 0 && m.headers?.code === 503) {
      ask.reject(new Unavailable(`nobody answers on ${ask.subject}`));
    } else {
      ask.resolve(m);
    }
  }

  private sweep(): void {
    const now = performance.now();
    for (const [id, ask] of this.open) {
      if (ask.deadline > now) continue;
      this.open.delete(id);
      ask.reject(new TimedOut(`${ask.subject}: no answer in time; it may have happened`));
    }
    if (this.open.size === 0) this.rest();
  }

  private rest(): void {
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }
}
