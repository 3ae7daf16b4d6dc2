import type { SkerryEvent } from '@skerry/contracts';
import { plain } from '../output/terminal.js';
import type { Session } from './session.js';

export interface EventsOptions {
  follow: boolean;
  tail?: number;
}

/** `skerry events [-f] [filter]`: what happened, oldest first. */
export async function events(
  session: Session,
  filter: string | undefined,
  options: EventsOptions,
): Promise<void> {
  const { client, terminal, signal } = session;
  const onBreak = (reason: string) => terminal.note(`the stream broke (${reason}); going on`);
  const wanted = {
    ...options,
    signal,
    onBreak,
    ...(filter === undefined ? {} : { filter }),
  };
  let shown = 0;
  for await (const event of client.events(wanted)) {
    shown += 1;
    terminal.result(event, () => terminal.say(eventText(event, session)));
  }
  if (options.follow) return;
  if (shown === 0) terminal.note('no events');
  terminal.next('skerry events -f');
}

function eventText({ time, type, subject, data }: SkerryEvent, { terminal }: Session): string {
  const { dim, bold } = terminal.colours;
  const name = type.replace(/^dev\.skerry\./, '').replace(/\.v\d+$/, '');
  return `${dim(time)} ${bold(name.padEnd(20))} ${plain(subject)} ${dim(plain(gist(data)))}`;
}

const GIST_CHARS = 160;

/** The telling parts of an event's data: phases, states, counts, titles. */
function gist(value: unknown): string {
  if (typeof value !== 'object' || value === null) return '';
  const entries = Object.entries(value).filter(([key]) => TELLING.has(key));
  const parts = entries.flatMap(([key, v]) =>
    typeof v === 'string' || typeof v === 'number'
      ? [`${key}=${v}`]
      : key === 'shares'
        ? [sharesText(v)]
        : [],
  );
  return parts.join(' ').slice(0, GIST_CHARS);
}

const TELLING = new Set(
  'phase state generation running wanted shares code title reason membership'.split(' '),
);

function sharesText(shares: unknown): string {
  if (!Array.isArray(shares)) return '';
  const places = shares.map((share: unknown) =>
    typeof share === 'object' && share !== null && 'site' in share && 'replicas' in share
      ? `${String(share.site)}:${String(share.replicas)}`
      : '?',
  );
  return `at ${places.join(',')}`;
}
