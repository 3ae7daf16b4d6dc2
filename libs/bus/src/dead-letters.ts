import { HEADERS, STREAMS, type DeadLetter } from '@skerry/contracts';
import { decodeJson } from './body.js';
import type { Bus, StoredMessage } from './bus.js';
import { carried } from './bury.js';

/** A dead letter as it was before it died: what its handler is given when it is tried again. */
export interface Original {
  /** The app that could not handle it, and its durable consumer. */
  app: string;
  stream: string;
  consumer: string;
  message: StoredMessage;
}

const TEXT = new TextDecoder('utf-8', { fatal: true });
const DEAD_HEADERS: ReadonlySet<string> = new Set([
  HEADERS.deadReason,
  HEADERS.deadSubject,
  HEADERS.deadStream,
  HEADERS.deadApp,
  HEADERS.deadConsumer,
  HEADERS.deadSequence,
  HEADERS.deadDeliveries,
]);

/** The messages that could not be handled, stream `DEAD`. Their ids are their sequences there. */
export class DeadLetters {
  constructor(private readonly bus: Bus) {}

  /** At most `limit` of them with ids above `after`, oldest first. */
  async list(after = 0, limit = 100): Promise<DeadLetter[]> {
    const found: DeadLetter[] = [];
    let enough: (() => void) | undefined;
    const filled = new Promise<void>((resolve) => {
      enough = resolve;
    });
    const following = await this.bus.follow(
      STREAMS.DEAD.name,
      (m) => {
        if (found.length < limit) found.push(letter(m));
        if (found.length >= limit) enough?.();
      },
      { from: after + 1 },
    );
    await Promise.race([following.caughtUp, filled]);
    await following.drain();
    return found;
  }

  /** One of them, or undefined when it was dropped or never was. */
  async show(id: number): Promise<DeadLetter | undefined> {
    const m = await this.stored(id);
    return m === undefined ? undefined : letter(m);
  }

  /** What the handler is to be given again, or undefined when there is no such dead letter. */
  async original(id: number): Promise<Original | undefined> {
    const m = await this.stored(id);
    if (m === undefined) return undefined;
    const { app, stream, consumer, subject, sequence, deliveries } = letter(m);
    const headers = Object.fromEntries(
      Object.entries(carried(m.headers)).filter(([name]) => !DEAD_HEADERS.has(name)),
    );
    const { data, storedAt } = m;
    const json = () => decodeJson(subject, data);
    const message = { subject, data, headers, json, stream, sequence, storedAt, deliveries, pending: 0 };
    return { app, stream, consumer, message };
  }

  /** Throws it away for good; nothing happens when it is gone already. */
  async drop(id: number): Promise<void> {
    await this.bus.deleteMessage(STREAMS.DEAD.name, id);
  }

  private async stored(id: number): Promise<StoredMessage | undefined> {
    // Sequences begin at 1, and the server takes 0 for a malformed request.
    return id < 1 ? undefined : await this.bus.message(STREAMS.DEAD.name, id);
  }
}

function letter(m: StoredMessage): DeadLetter {
  const of = (name: string) => m.headers[name] ?? '';
  const body = textOf(m.data);
  return {
    id: m.sequence,
    app: of(HEADERS.deadApp),
    stream: of(HEADERS.deadStream),
    consumer: of(HEADERS.deadConsumer),
    subject: of(HEADERS.deadSubject),
    sequence: Number(of(HEADERS.deadSequence)),
    deliveries: Number(of(HEADERS.deadDeliveries)),
    reason: of(HEADERS.deadReason),
    at: new Date(m.storedAt).toISOString(),
    ...(body === undefined ? {} : { body }),
  };
}

function textOf(data: Uint8Array): string | undefined {
  try {
    return TEXT.decode(data);
  } catch {
    return undefined;
  }
}
