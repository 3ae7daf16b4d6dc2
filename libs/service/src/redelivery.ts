import { DeadLetters, type Bus, type Outcome, type Subscription } from '@skerry/bus';
import { parse, Refusal, redeliverRequestSchema, RPC, type RedeliverAnswer } from '@skerry/contracts';
import type { BusStrategy } from './bus-strategy.js';

/** Answers `RPC.redeliver(app)`: hands a dead letter of this app to its handler again, and drops it when that is done. */
export function answerRedelivery(bus: Bus, app: string, strategy: BusStrategy): Subscription {
  const letters = new DeadLetters(bus);
  return bus.respond(
    RPC.redeliver(app),
    async (message): Promise<RedeliverAnswer> => {
      const request = parse(redeliverRequestSchema, message.json());
      if (!request.ok) throw new Refusal('malformed', 'not a redelivery', { issues: request.issues });
      return redeliver(letters, app, strategy, request.value.id);
    },
    { queue: app },
  );
}

async function redeliver(
  letters: DeadLetters,
  app: string,
  strategy: BusStrategy,
  id: number,
): Promise<RedeliverAnswer> {
  const letter = await letters.original(id);
  if (!letter) throw new Refusal('not-found', `no dead letter ${id}`);
  const handler = letter.app === app ? strategy.handlerOf(letter.stream, letter.consumer) : undefined;
  if (!handler) throw new Refusal('not-found', `${app} has no handler for ${letter.stream} any more`);
  const outcome = await handler(letter.message).catch(thrown);
  if (outcome.kind === 'done') await letters.drop(id);
  return outcome.kind === 'done'
    ? { result: 'done' }
    : { result: outcome.kind, reason: outcome.reason ?? 'wants to be retried later' };
}

function thrown(error: unknown): Outcome {
  return { kind: 'reject', reason: error instanceof Error ? error.message : String(error) };
}
