import { Malformed, type Bus, type Outcome, type StoredMessage, type Subscription } from '@skerry/bus';
import {
  HEADERS,
  parse,
  Refusal,
  redeliverRequestSchema,
  RPC,
  STREAMS,
  type RedeliverAnswer,
} from '@skerry/contracts';
import type { BusStrategy } from './bus-strategy.js';

/** Answers `RPC.redeliver(app)`: hands a dead letter of this app to its handler again, and drops it when that is done. */
export function answerRedelivery(bus: Bus, app: string, strategy: BusStrategy): Subscription {
  return bus.respond(
    RPC.redeliver(app),
    async (message): Promise<RedeliverAnswer> => {
      const request = parse(redeliverRequestSchema, message.json());
      if (!request.ok) throw new Refusal('malformed', 'not a redelivery', { issues: request.issues });
      return redeliver(bus, app, strategy, request.value.id);
    },
    { queue: app },
  );
}

async function redeliver(bus: Bus, app: string, strategy: BusStrategy, id: number): Promise<RedeliverAnswer> {
  // Sequences begin at 1; the doctor asks for 0 to see who answers.
  const letter = id < 1 ? undefined : await bus.message(STREAMS.DEAD.name, id);
  if (!letter) throw new Refusal('not-found', `there is no dead letter ${id}`);
  const { headers } = letter;
  const original = new DeadMessage(letter);
  const durable = headers[HEADERS.deadConsumer] ?? '';
  const handler = headers[HEADERS.deadApp] === app ? strategy.handlerOf(original.stream, durable) : undefined;
  if (!handler)
    throw new Refusal('not-found', `${app} no longer has a handler for ${original.stream} (${durable})`, {
      hint: `drop it with "skerry dlq drop ${id}"`,
    });
  const outcome = await handler(original).catch(thrown);
  if (outcome.kind !== 'done')
    return { result: outcome.kind, reason: outcome.reason ?? 'wants to be tried again later' };
  await bus.deleteMessage(STREAMS.DEAD.name, id);
  return { result: 'done' };
}

function thrown(error: unknown): Outcome {
  return { kind: 'reject', reason: error instanceof Error ? error.message : String(error) };
}

/** A dead letter as the message that it was. */
class DeadMessage implements StoredMessage {
  readonly subject: string;
  readonly stream: string;
  readonly sequence: number;
  readonly data: Uint8Array;
  readonly headers: StoredMessage['headers'];
  readonly storedAt: number;
  readonly deliveries = 1;
  readonly pending = 0;

  constructor(letter: StoredMessage) {
    this.subject = letter.headers[HEADERS.deadSubject] ?? letter.subject;
    this.stream = letter.headers[HEADERS.deadStream] ?? letter.stream;
    this.sequence = Number(letter.headers[HEADERS.deadSequence] ?? letter.sequence);
    this.data = letter.data;
    this.headers = letter.headers;
    this.storedAt = letter.storedAt;
  }

  json(): unknown {
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(this.data));
    } catch (cause) {
      throw new Malformed(`message on ${this.subject}: not JSON`, { cause });
    }
  }
}
