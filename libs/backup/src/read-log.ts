import { storedEntriesSchema, type StoredEntries } from '@skerry/contracts';
import { OTHER_BACKUP, pathOf, type BackupStore } from './backup-store.js';
import type { Manifest } from './manifest.js';
import { BackupTrouble } from './trouble.js';

const LOGS = 'LOGS';
/** Of values, that are in memory while they are put in order. */
const MAX_BYTES = 512 * 1024 ** 2;

export interface ReadLogOptions {
  /** What was written after this is left out, ms since 1970, by the clock of the site that wrote it. */
  until: number;
  onProgress?: (line: string) => void;
}

export interface LogEntryThen {
  /** `<site>.<store>` that wrote it. */
  origin: string;
  /** Its place among those of its origin, from 1. */
  number: number;
  /** ms since 1970. */
  at: number;
  value: string;
}

export interface LogThen {
  /** By time, of one moment by origin and number. */
  entries: LogEntryThen[];
  /** Numbers before the last entry of an origin that no backup holds. */
  gaps: { origin: string; from: number; to: number }[];
  /** The backups that it was put together of, the oldest first; the last was made after the time that was asked for. */
  backups: string[];
}

/**
 * A log as it was at a time, put together of all backups that hold it up to the first one that was made since: what had to go by
 * then is in the earlier ones. Changes nothing. Throws `BackupTrouble` when no backup holds the log or reaches the time, and for
 * what is damaged.
 */
export async function readLogAt(
  store: BackupStore,
  { project, name }: { project: string; name: string },
  { until, onProgress = () => undefined }: ReadLogOptions,
): Promise<LogThen> {
  const backups = await backupsFor(store, `${project}/${name}`, until);
  const gathered = new Gathered(`log.${project}.${name}.`);
  const seen = new Set<string>();
  for (const { id, parts } of backups) {
    onProgress(`reading backup ${id}`);
    for (const chunk of parts.flatMap((part) => (part.name === LOGS ? part.chunks : []))) {
      if (seen.has(chunk)) continue;
      seen.add(chunk);
      await gathered.take(store, chunk);
    }
  }
  return { ...gathered.until(until), backups: backups.map(({ id }) => id) };
}

async function backupsFor(store: BackupStore, dataset: string, until: number): Promise<Manifest[]> {
  const holding: Manifest[] = [];
  for (const id of await store.ids()) {
    const manifest = await store.manifest(id);
    const part = manifest.parts.find(({ name }) => name === LOGS);
    if (part === undefined || !manifest.datasets.includes(dataset)) continue;
    holding.push(manifest);
    if (Date.parse(part.readAt) >= until) return holding;
  }
  const newest = holding.at(-1);
  if (newest === undefined)
    throw new BackupTrouble(
      `no backup at ${store.target.place} holds ${dataset}`,
      `skerry backup create --dataset ${dataset}; skerry backup ls shows which hold which`,
    );
  throw new BackupTrouble(
    `no backup of ${dataset} reaches ${new Date(until).toISOString()}`,
    `the newest that holds it was made ${newest.createdAt}: ask for a time before, or make one now`,
  );
}

type Known = Map<number, { at: number; value: string }>;

/** What was written to logs of one name, by incarnation, origin and number. */
class Gathered {
  private readonly logs = new Map<number, Map<string, Known>>();
  private bytes = 0;

  constructor(private readonly prefix: string) {}

  async take(store: BackupStore, chunk: string): Promise<void> {
    const messages = await store.chunk(chunk);
    if (typeof messages === 'string')
      throw new BackupTrouble(`a part of it is ${messages}: ${pathOf(chunk)}`, OTHER_BACKUP);
    for (const { subject, body } of messages)
      if (subject.startsWith(this.prefix)) this.batch(storedIn(subject, body));
  }

  private batch({ incarnation, origin, entries }: StoredEntries): void {
    const log = this.logs.get(incarnation) ?? new Map<string, Known>();
    this.logs.set(incarnation, log);
    const known: Known = log.get(origin) ?? new Map();
    log.set(origin, known);
    for (const { number, at, value } of entries) {
      if (!known.has(number)) this.bytes += Buffer.byteLength(value);
      known.set(number, { at, value });
    }
    if (this.bytes > MAX_BYTES)
      throw new BackupTrouble(
        `more than ${MAX_BYTES / 1024 ** 2} MiB were written to it`,
        'restore a backup to a hub of its own, and read it there with "skerry data tail"',
      );
  }

  /** One that was removed and made anew is another log: that which had something then last. */
  private asOf(until: number): Map<string, Known> {
    const newestFirst = [...this.logs].toSorted(([a], [b]) => b - a);
    const had = (known: Known) => [...known.values()].some(({ at }) => at <= until);
    return newestFirst.find(([, log]) => [...log.values()].some(had))?.[1] ?? new Map<string, Known>();
  }

  until(until: number): Pick<LogThen, 'entries' | 'gaps'> {
    const entries: LogEntryThen[] = [];
    const gaps: LogThen['gaps'] = [];
    for (const [origin, known] of [...this.asOf(until)].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const then = [...known].filter(([, { at }]) => at <= until);
      for (const [number, entry] of then) entries.push({ origin, number, ...entry });
      const last = then.reduce((most, [number]) => Math.max(most, number), 0);
      const numbers = [...known.keys()].filter((number) => number <= last).toSorted((a, b) => a - b);
      for (const [from, to] of between(numbers)) gaps.push({ origin, from, to });
    }
    return { entries: entries.toSorted(byTime), gaps };
  }
}

/** The numbers from 1 that are missing before each of these, which rise. */
function between(numbers: readonly number[]): [number, number][] {
  return numbers.flatMap((number, i): [number, number][] => {
    const before = numbers[i - 1] ?? 0;
    return number === before + 1 ? [] : [[before + 1, number - 1]];
  });
}

function byTime(a: LogEntryThen, b: LogEntryThen): number {
  return a.at - b.at || (a.origin < b.origin ? -1 : a.origin > b.origin ? 1 : a.number - b.number);
}

function storedIn(subject: string, body: Uint8Array): StoredEntries {
  const parsed = storedEntriesSchema.safeParse(JSON.parse(Buffer.from(body).toString('utf8')));
  if (parsed.success) return parsed.data;
  throw new BackupTrouble(`what was backed up of ${subject} is no batch of entries`, OTHER_BACKUP);
}
