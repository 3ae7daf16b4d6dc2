import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { createPrivateFile, readPrivateFile } from '@skerry/identity';
import type { BackupStore } from './backup-store.js';
import { bySubject, Cutter, type StoredEntry } from './entries.js';
import type { NounPart } from './manifest.js';
import { BackupTrouble } from './trouble.js';

/** How the files of policy's folder are called in a backup. */
export const IDENTITY = 'identity';
/** Belongs into a safe and on no machine: it is never backed up. */
const OPERATOR_SEED = 'operator.seed';
/** A site has one file, and a hub 2,000 sites. */
const FILES_MAX = 10_000;
const NAME = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/;

/** Reads the folder of the cloud's keys, without the operator's own, into chunks of a backup. */
export async function keepIdentity(
  folder: string,
  keep: (chunk: StoredEntry[] | undefined, names: string[]) => Promise<void>,
): Promise<NounPart> {
  const entries = await entriesIn(folder);
  const cutter = new Cutter('keyed');
  const chunks: string[] = [];
  for (const entry of entries) await keep(cutter.add(entry), chunks);
  await keep(cutter.end(), chunks);
  const bytes = entries.reduce((sum, { body }) => sum + body.length, 0);
  const readAt = new Date().toISOString();
  return { name: IDENTITY, stream: IDENTITY, sequence: 0, readAt, entries: entries.length, bytes, chunks };
}

async function entriesIn(folder: string): Promise<StoredEntry[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = found
    .filter((entry) => entry.isFile() && entry.name !== OPERATOR_SEED)
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).split(sep).join('/'))
    .filter((name) => NAME.test(name));
  if (!names.includes('operator.jwt') || names.length > FILES_MAX)
    throw new BackupTrouble(
      `${folder} is no folder of a cloud's keys`,
      'policy has it as SKERRY_IDENTITY_DIR, mostly /var/lib/skerry/identity',
    );
  const entries = names.map(async (name): Promise<StoredEntry> => {
    const body = Buffer.from(await readPrivateFile(join(folder, name)));
    return { subject: name, sequence: 1, storedAt: 0, headers: {}, body };
  });
  return (await Promise.all(entries)).toSorted(bySubject);
}

/** What a restore will write, looked at before anything is written: files that are there stay, and have to be the same. */
export async function requireOwnIdentity(
  store: BackupStore,
  part: NounPart | undefined,
  folder: string | undefined,
): Promise<void> {
  if (folder === undefined) return;
  if (part === undefined)
    throw new BackupTrouble(
      'this backup holds no keys',
      'restore without --identity, and put the keys back from the safe',
    );
  const others: string[] = [];
  for (const { subject, body } of await filesOf(store, part)) {
    const there = await readFile(join(folder, subject)).catch(() => undefined);
    if (there !== undefined && !there.equals(Buffer.from(body))) others.push(subject);
  }
  if (others.length === 0) return;
  throw new BackupTrouble(
    `${folder} holds keys that are not those of the backup`,
    'is it of another cloud? name an empty folder, and give policy that one',
    others.slice(0, 10),
  );
}

/** Writes the files that are not there (mode 0600); how many the backup has. */
export async function restoreIdentity(store: BackupStore, part: NounPart, folder: string): Promise<number> {
  const files = await filesOf(store, part);
  for (const { subject, body } of files)
    await createPrivateFile(join(folder, subject), Buffer.from(body).toString('utf8'));
  return files.length;
}

async function filesOf(store: BackupStore, part: NounPart): Promise<StoredEntry[]> {
  const chunks = await Promise.all(part.chunks.map(async (name) => await store.chunk(name)));
  const files = chunks.flatMap((chunk) => (typeof chunk === 'string' ? [] : chunk));
  const odd = files.find(({ subject }) => !NAME.test(subject) || subject.split('/').includes('..'));
  if (odd !== undefined) throw new BackupTrouble(`a file of the backup has the name ${odd.subject}`);
  return files;
}
