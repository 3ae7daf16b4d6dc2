import {
  BackupStore,
  createBackup,
  makeKeyText,
  openTarget,
  restoreBackup,
  verifyBackup,
  type Manifest,
} from '@skerry/backup';
import { createPrivateFile } from '@skerry/identity';
import { CommandFailed, EXIT } from '../exit-codes.js';
import type { Terminal } from '../output/terminal.js';
import type { GlobalOptions } from '../program.js';
import { keyFor, told, withHub } from './backup-access.js';

export interface StoreFlags {
  to?: string;
  from?: string;
  keyFile?: string;
  id?: string;
}
export interface HubFlags {
  nats?: string;
  ca?: string;
  creds?: string;
}
export interface CreateFlags extends StoreFlags, HubFlags {
  history?: boolean;
  dataset?: string[];
  datasets?: boolean;
  in: string[];
  identity?: string;
}
export interface RestoreFlags extends StoreFlags, HubFlags {
  force?: boolean;
  replicas: number;
  identity?: string;
}

/** `skerry backup create`. */
export async function createOne(
  terminal: Terminal,
  globals: GlobalOptions,
  flags: CreateFlags,
): Promise<void> {
  const place = placeOf(flags);
  if (flags.datasets === true && flags.dataset !== undefined)
    throw new CommandFailed(
      EXIT.usage,
      'one of --datasets and --dataset is wanted: all, or those that are named',
    );
  const datasets = flags.datasets === true ? ('all' as const) : (flags.dataset ?? []);
  const make = async (onProgress: (line: string) => void) =>
    await withHub({ globals, flags, user: 'backup' }, async (bus) => {
      const store = await BackupStore.open(await openTarget(place, process.env), await keyFor(flags), {
        make: true,
      });
      const options = { history: flags.history === true, datasets, jurisdictions: flags.in, onProgress };
      return await createBackup(bus, store, { ...options, ...identityOf(flags) });
    });
  const manifest = await shown(terminal, make);
  terminal.result(summaryOf(manifest), () => tellOf(terminal, manifest, place));
  const same = sameStore(place, flags);
  terminal.next(`skerry backup verify ${same}`, `skerry backup ls ${same}`);
}

function tellOf(terminal: Terminal, manifest: Manifest, place: string): void {
  terminal.say(`backup ${manifest.id} at ${place}`);
  terminal.table(
    ['HOLDS', 'VALUES', 'SIZE', 'AS OF'],
    manifest.parts.map((p) => [p.name, String(p.entries), size(p.bytes), p.readAt]),
  );
  const { added } = manifest;
  const all = manifest.parts.reduce((sum, { chunks }) => sum + chunks.length, 0);
  terminal.say(`${added.chunks} of ${all} chunks are new there, ${size(added.bytes)}`);
  for (const { dataset, why } of manifest.leftOut) terminal.say(`left out: ${dataset}: ${why}`);
}

/** `skerry backup ls`. */
export async function listAll(terminal: Terminal, flags: StoreFlags): Promise<void> {
  const place = placeOf(flags);
  const manifests = await shown(terminal, async () => {
    const store = await BackupStore.open(await openTarget(place, process.env), await keyFor(flags));
    const ids = await store.ids();
    return await Promise.all(ids.map(async (each) => await store.manifest(each)));
  });
  for (const manifest of manifests) terminal.result(summaryOf(manifest), () => undefined);
  terminal.table(
    ['BACKUP', 'MADE', 'VALUES', 'SIZE', 'ADDED', 'DATASETS'],
    manifests.map((m) => {
      const { values, bytes } = summaryOf(m);
      return [
        m.id,
        m.createdAt,
        String(values),
        size(bytes),
        size(m.added.bytes),
        m.datasets.join(' ') || '-',
      ];
    }),
  );
  terminal.next(`skerry backup verify ${sameStore(place, flags)}`);
}

/** `skerry backup verify`. */
export async function verifyOne(terminal: Terminal, flags: StoreFlags): Promise<void> {
  const place = placeOf(flags);
  const verified = await shown(terminal, async (onProgress) => {
    const store = await BackupStore.open(await openTarget(place, process.env), await keyFor(flags));
    const manifest = await store.manifest(flags.id);
    return { id: manifest.id, ...(await verifyBackup(store, manifest, onProgress)) };
  });
  const { id, chunks, entries } = verified;
  terminal.result({ backup: id, ok: true, chunks, values: entries }, () =>
    terminal.say(`backup ${id} is whole: ${chunks} chunks, ${entries} values, every bit as it was written`),
  );
  terminal.next(`skerry backup restore ${sameStore(place, flags)} --id ${id}`);
}

/** `skerry backup restore`. */
export async function restoreOne(
  terminal: Terminal,
  globals: GlobalOptions,
  flags: RestoreFlags,
): Promise<void> {
  const place = placeOf(flags);
  const { manifest, restored } = await shown(terminal, async (onProgress) => {
    const store = await BackupStore.open(await openTarget(place, process.env), await keyFor(flags));
    const which = await store.manifest(flags.id);
    const own = identityOf(flags);
    const options = { force: flags.force === true, replicas: flags.replicas, onProgress, ...own };
    const done = await withHub({ globals, flags, user: 'restore' }, async (bus) =>
      restoreBackup(bus, store, which, options),
    );
    return { manifest: which, restored: done };
  });
  const { term, nouns } = restored;
  terminal.result({ backup: manifest.id, term, restored: nouns }, () => {
    terminal.say(`the hub is as it was ${manifest.createdAt}, in term ${term}:`);
    terminal.say(nouns.map(({ name, entries }) => `  ${String(entries).padStart(8)} ${name}`).join('\n'));
    terminal.say(
      'Start the services now. Sites come back by themselves and what they run goes on. What was changed',
    );
    terminal.say(
      'after the backup is as it was then. What sites run or hold and this hub does not know goes on, and they propose it',
    );
    terminal.say('to the hub: "skerry site report SITE" names it, and what became of it.');
  });
  terminal.next(
    'systemctl start skerry.target   (on one machine: npm start)',
    'skerry doctor',
    'skerry status',
  );
}

/** `skerry backup key FILE`. */
export async function makeKey(terminal: Terminal, file: string): Promise<void> {
  if (!(await createPrivateFile(file, `${makeKeyText()}\n`)))
    throw new CommandFailed(
      EXIT.failed,
      `${file} is there already, and stays as it is`,
      'a key that backups were made with is needed for as long as these are; name another file',
    );
  terminal.result({ keyFile: file }, () => {
    terminal.say(`a new key is in ${file} (mode 0600)`);
    terminal.say(
      'Whoever has it can read the backups; whoever loses it has lost every one of them, and nobody can help.',
    );
    terminal.say('Keep a copy elsewhere than the backups, and elsewhere than the hub.');
  });
  terminal.next(`skerry backup create --to PLACE --key-file ${file}`);
}

/** What the next command needs to mean the same backups. */
export function sameStore(place: string, { keyFile }: StoreFlags): string {
  return keyFile === undefined ? `--from ${place}` : `--from ${place} --key-file ${keyFile}`;
}

function identityOf({ identity }: { identity?: string }): { identity?: string } {
  return identity === undefined ? {} : { identity };
}

export function placeOf({ to, from }: StoreFlags): string {
  const place = to ?? from;
  if (place !== undefined && place !== '') return place;
  throw new CommandFailed(
    EXIT.usage,
    'where the backups are is not said',
    'skerry backup create --to PLACE, --from PLACE for the others, or the variable SKERRY_BACKUP_PLACE: a folder, or s3://bucket/prefix',
  );
}

/** What it is busy with shows when it takes long; what a person can mend is said as such. */
export async function shown<T>(
  terminal: Terminal,
  work: (onProgress: (line: string) => void) => Promise<T>,
): Promise<T> {
  let line = 'looking for backups and the hub';
  const onProgress = (next: string) => (line = next);
  return await terminal.during(
    () => line,
    work(onProgress).catch((error: unknown) => told(error)),
  );
}

function summaryOf({ id, createdAt, parts, datasets, leftOut, added, term }: Manifest) {
  const sum = (of: (part: Manifest['parts'][number]) => number) =>
    parts.reduce((total, part) => total + of(part), 0);
  return {
    backup: id,
    createdAt,
    term,
    values: sum((p) => p.entries),
    bytes: sum((p) => p.bytes),
    chunks: sum((p) => p.chunks.length),
    added,
    holds: parts.map(({ name, entries, bytes, readAt }) => ({ name, values: entries, bytes, readAt })),
    datasets,
    leftOut,
  };
}

function size(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  if (bytes < 1_024 ** 2) return `${(bytes / 1_024).toFixed(1)} KiB`;
  return `${(bytes / 1_024 ** 2).toFixed(1)} MiB`;
}
