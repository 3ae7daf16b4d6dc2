import { CommandFailed, EXIT } from '../exit-codes.js';
import { plain } from '../output/terminal.js';
import type { Session } from './session.js';

/** `skerry dlq ls`: what could not be handled. */
export async function listDeadLetters({ client, terminal }: Session): Promise<void> {
  const letters = await terminal.during('reading dead letters', client.deadLetters());
  terminal.result(letters, () => {
    if (letters.length === 0) terminal.say('no dead letters');
    else {
      terminal.table(
        ['ID', 'APP', 'SUBJECT', 'DELIVERIES', 'AT', 'REASON'],
        letters.map((l) => [
          String(l.id),
          l.app,
          plain(l.subject),
          String(l.deliveries),
          l.at,
          plain(l.reason).slice(0, 100),
        ]),
      );
    }
  });
  const [first] = letters;
  terminal.next(first ? `skerry dlq show ${first.id}` : 'skerry doctor');
}

/** `skerry dlq show ID`: one, with its body. */
export async function showDeadLetter({ client, terminal }: Session, text: string): Promise<void> {
  const letter = await client.deadLetter(idOf(text));
  terminal.result(letter, () => {
    for (const [key, value] of Object.entries(letter)) {
      if (key !== 'body') terminal.say(`${terminal.colours.bold(key.padEnd(12))}${plain(String(value))}`);
    }
    terminal.say();
    terminal.say(plain(letter.body ?? 'its body is no text'));
  });
  terminal.next(`skerry dlq retry ${letter.id}`, `skerry dlq drop ${letter.id}`);
}

/** `skerry dlq retry ID`: has its app handle it again; exit 1 when that fails again. */
export async function retryDeadLetter({ client, terminal }: Session, text: string): Promise<void> {
  const id = idOf(text);
  const answer = await terminal.during('handling it again', client.retryDeadLetter(id));
  if (answer.result !== 'done') {
    throw new CommandFailed(
      EXIT.failed,
      `dead letter ${id} was not handled: ${answer.reason ?? answer.result}`,
      `it stays; skerry dlq drop ${id} throws it away`,
    );
  }
  terminal.result(answer, () => terminal.say(`dead letter ${id} is handled`));
  terminal.next('skerry dlq ls');
}

/** `skerry dlq drop ID`: throws it away for good. */
export async function dropDeadLetter({ client, terminal }: Session, text: string): Promise<void> {
  const letter = await client.dropDeadLetter(idOf(text));
  terminal.result(letter, () => terminal.say(`dead letter ${letter.id} of ${letter.app} is dropped`));
  terminal.next('skerry dlq ls');
}

function idOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CommandFailed(
    EXIT.usage,
    `${text} is no id of a dead letter: ids are whole numbers`,
    'skerry dlq ls',
  );
}
