import type { Bus, Following, StoredMessage } from '@skerry/bus';
import { bySubject, type StoredEntry } from './entries.js';
import { stateOf } from './led.js';
import type { Noun } from './nouns.js';
import { BackupTrouble } from './trouble.js';

/** How often a stream that is written to meanwhile is looked at again until nothing was. */
const ROUNDS_MAX = 100;
/** For records, which are written to all the time. */
const ROUNDS_OF_RECORDS = 10;
const REACHED_MS = 30_000;
const OPERATION = 'KV-Operation';
const MARKER = 'Nats-Marker-Reason';
/** What the server is told by a publish, and keeps with the message: nothing of it holds when it is published again. */
const OF_THE_SERVER = /^Nats-/i;

/** The moment that a stream was read at. */
export interface Moment {
  /** Its last sequence then. */
  sequence: number;
  readAt: string;
  /** It was written to without pause: what was read is of several moments. */
  spread?: true;
}

export interface ReadOptions {
  /** Which subjects are wanted. Default all. */
  wanted?: (subject: string) => boolean;
  /** Takes the entries: those of keys by subject, when the moment is known; those of a log in their order, as they come. */
  take: (entry: StoredEntry) => void | Promise<void>;
}

/**
 * Reads what lies in a stream, as it was at one moment: everything is followed in order, and the moment is found when nothing was
 * written between what was read last and a look at the stream after it. Undefined when there is no such stream.
 */
export async function readStream(bus: Bus, noun: Noun, options: ReadOptions): Promise<Moment | undefined> {
  const { stream, layout } = noun;
  if ((await stateOf(bus, stream)) === undefined) return undefined;
  const newest = new Map<string, StoredEntry>();
  const failures: unknown[] = [];
  const hear = async (m: StoredMessage) => {
    if (options.wanted?.(m.subject) === false || failures.length > 0) return;
    if (layout === 'keyed' && isGone(m)) newest.delete(m.subject);
    else if (layout === 'keyed') newest.set(m.subject, entryOf(m));
    // What fails here is told below: the bus would try again and then pass over it.
    else await Promise.resolve(options.take(entryOf(m))).catch((error: unknown) => failures.push(error));
  };
  const following = await bus.follow(stream, hear, {
    from: layout === 'keyed' ? 'last' : 1,
    onRestart: () => newest.clear(),
  });
  try {
    await following.caughtUp;
    let state: StoredEntry[] = [];
    const freeze = () => (state = [...newest.values()].toSorted(bySubject));
    const moment = await momentOf(bus, noun, { following, freeze });
    if (failures.length > 0) throw failures[0];
    for (const entry of state) await options.take(entry);
    return moment;
  } finally {
    await following.drain();
  }
}

interface Watched {
  following: Following;
  /** Keeps what was read until now: called in the same turn in which the moment is seen, since what comes next is of a later one. */
  freeze: () => void;
}

async function momentOf(bus: Bus, { stream, kept }: Noun, { following, freeze }: Watched): Promise<Moment> {
  const rounds = kept === 'datasets' ? ROUNDS_OF_RECORDS : ROUNDS_MAX;
  let upTo = following.position;
  for (let round = 0; round < rounds; round += 1) {
    const last = (await stateOf(bus, stream))?.lastSequence ?? 0;
    // What was read behind it while the server answered is of a later moment.
    if (last <= upTo && following.position <= upTo) {
      freeze();
      return momentAt(upTo);
    }
    await following.reached(last, REACHED_MS);
    upTo = Math.max(last, following.position);
  }
  if (kept === 'datasets') {
    freeze();
    return { ...momentAt(upTo), spread: true };
  }
  throw new BackupTrouble(
    `${stream} is written to without pause: no single moment of it was seen in ${rounds} looks`,
    'try again when less happens',
  );
}

function momentAt(sequence: number): Moment {
  return { sequence, readAt: new Date().toISOString() };
}

function entryOf({ subject, sequence, storedAt, headers, data }: StoredMessage): StoredEntry {
  const kept = Object.entries(headers).filter(([name]) => !OF_THE_SERVER.test(name));
  return { subject, sequence, storedAt, headers: Object.fromEntries(kept), body: data };
}

/** A key that was deleted leaves a mark. */
function isGone({ headers }: StoredMessage): boolean {
  return headers[MARKER] !== undefined || (headers[OPERATION] ?? 'PUT') !== 'PUT';
}
