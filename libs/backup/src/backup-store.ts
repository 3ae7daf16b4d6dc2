import { randomBytes } from 'node:crypto';
import { decodeEntries, encodeEntries, type StoredEntry } from './entries.js';
import { backupIdSchema, headerSchema, manifestSchema, type Manifest } from './manifest.js';
import { Sealing } from './sealing.js';
import type { Target } from './target.js';
import { BackupTrouble } from './trouble.js';

const HEADER = 'skerry-backups.json';
const BACKUPS = 'backups/';
const CHUNKS = 'chunks/';
const SALT_BYTES = 16;

/**
 * Backups at one place, under one key: `skerry-backups.json` in clear, `backups/<id>` and `chunks/<2 digits>/<digest>` encrypted.
 * Chunks are shared by all backups that have the same content, and are never changed.
 */
export class BackupStore {
  /** Chunks known to be there. */
  private known: Set<string> | undefined;

  private constructor(
    readonly target: Target,
    private readonly sealing: Sealing,
  ) {}

  /** Opens the store at a place; with `make`, makes it where there is none. Throws `BackupTrouble` for another key. */
  static async open(target: Target, key: Uint8Array, options: { make?: boolean } = {}): Promise<BackupStore> {
    const header = await readHeader(target);
    if (header === undefined) {
      if (options.make !== true)
        throw new BackupTrouble(`there are no backups at ${target.place}`, 'skerry backup create --to PLACE');
      return await BackupStore.make(target, key);
    }
    const sealing = new Sealing(key, Buffer.from(header.salt, 'hex'));
    if (sealing.keyId !== header.keyId)
      throw new BackupTrouble(
        `the backups at ${target.place} were made with another key`,
        'give the key that they were made with; without it nobody can read them, and there is no way around it',
      );
    return new BackupStore(target, sealing);
  }

  private static async make(target: Target, key: Uint8Array): Promise<BackupStore> {
    const salt = randomBytes(SALT_BYTES);
    const sealing = new Sealing(key, salt);
    const header = { format: 1, salt: salt.toString('hex'), keyId: sealing.keyId };
    await target.put(HEADER, Buffer.from(`${JSON.stringify(header)}\n`));
    return new BackupStore(target, sealing);
  }

  /** Ids of all backups, the oldest first. */
  async ids(): Promise<string[]> {
    const names = (await this.target.list(BACKUPS)).map((name) => name.slice(BACKUPS.length));
    return names.filter((name) => backupIdSchema.safeParse(name).success).toSorted();
  }

  /** A backup by its id, or the newest. */
  async manifest(id: string | undefined): Promise<Manifest> {
    const ids = await this.ids();
    const wanted = id ?? ids.at(-1);
    if (wanted === undefined || !ids.includes(wanted))
      throw new BackupTrouble(
        wanted === undefined
          ? `there is no backup at ${this.target.place} yet`
          : `there is no backup ${wanted} at ${this.target.place}`,
        'skerry backup ls --from PLACE',
        ids.slice(-5),
      );
    const name = `${BACKUPS}${wanted}`;
    const sealed = await this.target.get(name);
    const opened = sealed && this.sealing.open(name, sealed);
    const parsed = opened && manifestSchema.safeParse(jsonIn(opened));
    if (parsed?.success === true && parsed.data.id === wanted) return parsed.data;
    throw new BackupTrouble(`backup ${wanted} is damaged: its list of chunks cannot be read`, OTHER_BACKUP);
  }

  /** The last thing that is written of a backup: with it, it is there. */
  async finish(manifest: Manifest): Promise<void> {
    const name = `${BACKUPS}${manifest.id}`;
    await this.target.put(name, this.sealing.seal(name, Buffer.from(JSON.stringify(manifest))));
  }

  /** A backup is there no more; its chunks stay. */
  async remove(id: string): Promise<void> {
    await this.target.remove(`${BACKUPS}${id}`);
  }

  /** Where all chunks lie but those that are named. */
  async chunksBeside(needed: ReadonlySet<string>): Promise<string[]> {
    const paths = new Set([...needed].map(pathOf));
    return (await this.target.list(CHUNKS)).filter((path) => !paths.has(path));
  }

  /** Stores a chunk unless it is there; its name, and the bytes that it took. */
  async add(entries: readonly StoredEntry[]): Promise<{ name: string; addedBytes: number }> {
    this.known ??= new Set(await this.target.list(CHUNKS));
    const content = encodeEntries(entries);
    const name = this.sealing.nameOf(content);
    const path = pathOf(name);
    if (this.known.has(path)) return { name, addedBytes: 0 };
    const sealed = this.sealing.seal(name, content);
    await this.target.put(path, sealed);
    this.known.add(path);
    return { name, addedBytes: sealed.length };
  }

  /** Reads a chunk back and checks every bit of it. */
  async chunk(name: string): Promise<StoredEntry[] | 'missing' | 'damaged'> {
    const sealed = await this.target.get(pathOf(name));
    if (sealed === undefined) return 'missing';
    const content = this.sealing.openNamed(name, sealed);
    return content === undefined ? 'damaged' : decodeEntries(content);
  }
}

/** What helps when a backup is damaged. */
export const OTHER_BACKUP =
  'another backup may be whole: skerry backup ls, then verify --id; and look at the disk or store that this one is on';

/** Where a chunk lies. */
export function pathOf(name: string): string {
  return `${CHUNKS}${name.slice(0, 2)}/${name}`;
}

async function readHeader(target: Target) {
  const bytes = await target.get(HEADER);
  if (bytes === undefined) return undefined;
  const parsed = headerSchema.safeParse(jsonIn(bytes));
  if (parsed.success) return parsed.data;
  throw new BackupTrouble(
    `${target.place}: ${HEADER} is damaged`,
    'put back a copy of it: every store has one of its own, made with its first backup',
  );
}

function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
