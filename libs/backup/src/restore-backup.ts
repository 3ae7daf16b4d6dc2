import { bucketConfig, streamConfig, type Bus } from '@skerry/bus';
import { BUCKETS, bucketStream, JETSTREAM_API } from '@skerry/contracts';
import { z } from 'zod';
import { pathOf, type BackupStore } from './backup-store.js';
import { EPOCH_SUBJECT } from './create-backup.js';
import type { StoredEntry } from './entries.js';
import { IDENTITY, requireOwnIdentity, restoreIdentity } from './identity-files.js';
import { stateOf, untilLed } from './led.js';
import type { Manifest, NounPart } from './manifest.js';
import { NOUNS, type Noun } from './nouns.js';
import { BackupTrouble } from './trouble.js';
import { verifyBackup } from './verify-backup.js';

/**
 * How far above the last known sequence a restored stream begins: more than a hub stores in months. What it stored after the backup
 * had sequences too, and sites, fences and epochs remember them; none of them may be given twice.
 */
const SEQUENCES_AHEAD = 2 ** 32;
/** Messages under way at once; those of one transaction. */
const WINDOW = 128;
const TOGETHER = 200;

export interface RestoreOptions {
  /** Also into a hub that holds something, which is deleted first. */
  force: boolean;
  /** Copies of each stream: 3 on a hub of three. */
  replicas: number;
  /** Folder that the cloud's keys are written to, where the backup has them. */
  identity?: string;
  now?: () => Date;
  onProgress?: (line: string) => void;
}

export interface Restored {
  /** The hub's term from now on. */
  term: number;
  nouns: { name: string; entries: number }[];
}

/**
 * Puts a backup into a hub that has nothing, or with `force` in place of what it has. Everything is read and checked before anything
 * is written. Every stream is made, also those that are derived, and begins above all sequences that the lost hub can have given.
 * What is named comes before what names it; the hub's new term comes last.
 */
export async function restoreBackup(
  bus: Bus,
  store: BackupStore,
  manifest: Manifest,
  options: RestoreOptions,
): Promise<Restored> {
  const { onProgress = () => undefined } = options;
  await verifyBackup(store, manifest, onProgress);
  const keys = manifest.parts.find(({ name }) => name === IDENTITY);
  await requireOwnIdentity(store, keys, options.identity);
  await requireNobody(bus);
  await requireEmpty(bus, options.force);
  onProgress('making streams');
  await Promise.all(NOUNS.map(async (noun) => await makeAnew(bus, noun, manifest, options.replicas)));
  const restored: Restored = { term: manifest.term + 1, nouns: [] };
  for (const part of manifest.parts.toReversed()) {
    if (part === keys && options.identity === undefined) continue;
    onProgress(`restoring ${part.name}`);
    const entries =
      part === keys && options.identity !== undefined
        ? await restoreIdentity(store, part, options.identity)
        : await fill(bus, store, part);
    restored.nouns.push({ name: part.name, entries });
  }
  await raiseTerm(bus, restored.term, (options.now ?? (() => new Date()))());
  return restored;
}

/** Services hold leases while they run; of those that were killed they run out within seconds. */
async function requireNobody(bus: Bus): Promise<void> {
  const { leases } = BUCKETS;
  if ((await stateOf(bus, bucketStream(leases.name))) === undefined) return;
  const held = await bus.bucket(leases, (value) => value).keys();
  if (held.length === 0) return;
  throw new BackupTrouble(
    `services run on this hub: ${held.join(', ')}`,
    'stop them first (systemctl stop skerry.target), leave the hub servers running; if they were killed, wait 10 s',
  );
}

async function requireEmpty(bus: Bus, force: boolean): Promise<void> {
  if (force) return;
  const states = await Promise.all(
    NOUNS.map(async ({ name, stream }) => ({ name, state: await stateOf(bus, stream) })),
  );
  const filled = states.filter(({ state }) => (state?.messages ?? 0) > 0);
  if (filled.length === 0) return;
  throw new BackupTrouble(
    'this hub is not empty',
    'is it the right one? --force deletes what it holds, all of it, and then restores',
    filled.map(({ name, state }) => `${name}: ${state?.messages ?? 0} messages`),
  );
}

async function makeAnew(bus: Bus, noun: Noun, manifest: Manifest, replicas: number): Promise<void> {
  const { stream, definition } = noun;
  const there = await stateOf(bus, stream);
  const isThere = async () => there !== undefined && (await bus.streamState(stream)) !== undefined;
  await untilLed(async () => {
    if (await isThere()) await call(bus, JETSTREAM_API.streamDelete(stream), {});
  });
  const last = Math.max(there?.lastSequence ?? 0, manifest.sequences[stream] ?? 0);
  const config =
    'bucket' in definition
      ? bucketConfig(definition.bucket, replicas)
      : streamConfig(definition.stream, replicas);
  const anew = { ...config, first_seq: last + SEQUENCES_AHEAD };
  await untilLed(async () => await call(bus, JETSTREAM_API.streamCreate(stream), anew));
}

const answerSchema = z.looseObject({
  error: z.looseObject({ code: z.number(), description: z.string().default('') }).optional(),
});

async function call(bus: Bus, subject: string, body: object): Promise<void> {
  const { error } = answerSchema.parse((await bus.request(subject, body)).json());
  if (error === undefined) return;
  throw new Error(`${subject}: ${error.description} (${error.code})`);
}

/** Publishes everything of one noun, a log in its order. */
async function fill(bus: Bus, store: BackupStore, part: NounPart): Promise<number> {
  const noun = NOUNS.find(({ stream }) => stream === part.stream);
  if (noun === undefined)
    throw new BackupTrouble(
      `this version knows no ${part.name}`,
      'restore with the version that made the backup',
    );
  let entries = 0;
  for (const name of part.chunks) {
    const chunk = await store.chunk(name);
    if (typeof chunk === 'string') throw new BackupTrouble(`${part.name}: ${pathOf(name)} is ${chunk}`);
    await publish(bus, noun, chunk);
    entries += chunk.length;
  }
  const messages = (await stateOf(bus, noun.stream))?.messages;
  if (messages === entries) return entries;
  throw new BackupTrouble(
    `${part.name} should hold ${entries} messages and holds ${messages ?? 'none'}`,
    'somebody else writes to this hub, or its limits are lower: end that, and restore again with --force',
  );
}

async function publish(bus: Bus, noun: Noun, entries: readonly StoredEntry[]): Promise<void> {
  if (noun.atomic) {
    for (let at = 0; at < entries.length; at += TOGETHER)
      await bus.publishBatch(
        entries.slice(at, at + TOGETHER).map(({ subject, body, headers }) => ({ subject, body, headers })),
      );
    return;
  }
  const atOnce = noun.layout === 'keyed' ? WINDOW : 1;
  for (let at = 0; at < entries.length; at += atOnce)
    await Promise.all(
      entries
        .slice(at, at + atOnce)
        .map(async ({ subject, body, headers }) => await bus.publish(subject, body, { headers })),
    );
}

/** In the mark of who may write placements: whoever decides next goes on in this term. */
async function raiseTerm(bus: Bus, term: number, now: Date): Promise<void> {
  await bus.publish(EPOCH_SUBJECT, { kind: 'Epoch', instance: 'restore', at: now.toISOString(), term });
}
