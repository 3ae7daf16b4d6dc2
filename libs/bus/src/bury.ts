import { HEADERS, deadLetterSubject } from '@skerry/contracts';
import { headerText } from './body.js';
import type { Bus, ConsumeOptions, Headers, StoredMessage } from './bus.js';
import { TooLarge } from './errors.js';

/**
 * Stores a message as a dead letter of its app: its body and headers, and where it came from and why it could not be
 * handled in headers of their own. Stored once however often it is tried.
 */
export async function bury(
  publish: Bus['publish'],
  options: Pick<ConsumeOptions, 'app' | 'durable'>,
  m: StoredMessage,
  reason: string,
): Promise<void> {
  const subject = deadLetterSubject(options.app, m.stream);
  const headers = { ...carried(m.headers), ...told(m, options, reason) };
  const messageId = `dlq.${m.stream}.${options.durable}.${m.sequence}.${m.storedAt}`;
  try {
    await publish(subject, m.data, { headers, messageId });
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    // It filled its message to the brim: better known without its body than tried for ever.
    const why = headerText(`${reason} (body of ${m.data.length} bytes left out: no room beside the reason)`);
    const short = { ...headers, [HEADERS.deadReason]: why };
    await publish(subject, new Uint8Array(0), { headers: short, messageId });
  }
}

/** The message's own headers, without those that tell the server what to do. */
export function carried(headers: Headers): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('Nats-')));
}

function told(
  m: StoredMessage,
  { app, durable }: Pick<ConsumeOptions, 'app' | 'durable'>,
  reason: string,
): Record<string, string> {
  return {
    [HEADERS.deadReason]: headerText(reason),
    [HEADERS.deadSubject]: m.subject,
    [HEADERS.deadStream]: m.stream,
    [HEADERS.deadApp]: app,
    [HEADERS.deadConsumer]: durable,
    [HEADERS.deadSequence]: String(m.sequence),
    [HEADERS.deadDeliveries]: String(m.deliveries),
  };
}
