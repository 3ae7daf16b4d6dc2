import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, syncFolder } from '../files/atomic-file.js';

const DIGEST = /^[0-9a-f]{64}$/;
/** Names of drafts; what is left of them after a crash is removed. */
const DRAFTS = 'drafts';

/** SHA-256 as chunks are named by it. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Chunks at this node, each once whatever objects it is of: a file that is named by its digest, in one of 256 folders. A chunk is
 * written whole or not at all, and looked at again whenever it is read. Made with the first chunk.
 */
export class ChunkPool {
  private readonly names = new Set<string>();
  /** How often each is in use by what no manifest names yet, or is being read. */
  private readonly held = new Map<string, number>();
  /** Parts with names that are not known to be on the disk, each with the sync that covers all of them, if one has begun. */
  private readonly unsynced = new Map<string, Promise<void> | undefined>();
  private readonly waiting = new Map<string, Set<() => void>>();
  private made: Promise<void> | undefined;

  private constructor(private readonly folder: string) {}

  /** Opens what is on the disk. */
  static async open(folder: string): Promise<ChunkPool> {
    const pool = new ChunkPool(folder);
    await rm(join(folder, DRAFTS), { recursive: true, force: true });
    for (const part of await namesIn(folder))
      for (const name of await namesIn(join(folder, part))) if (DIGEST.test(name)) pool.names.add(name);
    return pool;
  }

  has(digest: string): boolean {
    return this.names.has(digest);
  }

  get size(): number {
    return this.names.size;
  }

  /** Keeps chunks from being swept, also those that are yet to come, until `release`. */
  hold(): ChunkHold {
    const mine: string[] = [];
    return {
      add: (digest) => {
        mine.push(digest);
        this.held.set(digest, (this.held.get(digest) ?? 0) + 1);
      },
      release: () => {
        for (const digest of mine.splice(0)) {
          const left = (this.held.get(digest) ?? 0) - 1;
          if (left > 0) this.held.set(digest, left);
          else this.held.delete(digest);
        }
      },
    };
  }

  /** Writes a chunk, when it is not there. Throws when these are not its bytes, or the disk does not take them. */
  async put(digest: string, bytes: Uint8Array): Promise<void> {
    if (this.names.has(digest)) return;
    if (digestOf(bytes) !== digest) throw new Error(`bytes that are not chunk ${digest}`);
    await this.make();
    const draft = join(this.folder, DRAFTS, randomBytes(8).toString('hex'));
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } catch (cause) {
      await rm(draft, { force: true });
      throw cause;
    } finally {
      await file.close();
    }
    await rename(draft, this.path(digest));
    // A sync that has begun may not cover this name.
    this.unsynced.set(digest.slice(0, 2), undefined);
    this.names.add(digest);
    for (const wake of this.waiting.get(digest) ?? []) wake();
  }

  /** Resolves when all that was put is on the disk under its name, whoever put it. Rejects when the disk does not take it. */
  async settle(): Promise<void> {
    const syncs = [...this.unsynced].map(([part, begun]) => begun ?? this.syncPart(part));
    await Promise.all(syncs);
  }

  /** A chunk's bytes; undefined when it is not here, or no longer what it was: then it is removed, to be fetched again. */
  async read(digest: string): Promise<Buffer | undefined> {
    if (!this.names.has(digest)) return undefined;
    const bytes = await readFile(this.path(digest)).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (bytes !== undefined && digestOf(bytes) === digest) return bytes;
    await this.drop(digest);
    return undefined;
  }

  /** Waits until a chunk is here; false when it is not within that time. */
  async until(digest: string, withinMs: number): Promise<boolean> {
    if (this.names.has(digest)) return true;
    return await new Promise((resolve) => {
      const end = (came: boolean) => {
        clearTimeout(timer);
        const all = this.waiting.get(digest);
        all?.delete(wake);
        if (all?.size === 0) this.waiting.delete(digest);
        resolve(came);
      };
      const wake = () => end(true);
      const timer = setTimeout(() => end(false), withinMs);
      const all = this.waiting.get(digest) ?? new Set();
      this.waiting.set(digest, all.add(wake));
    });
  }

  /** Removes every chunk that is neither named nor held. Returns how many went. */
  async sweep(named: ReadonlySet<string>): Promise<number> {
    let gone = 0;
    for (const digest of this.names) {
      if (named.has(digest) || this.held.has(digest)) continue;
      await this.drop(digest);
      gone += 1;
    }
    return gone;
  }

  /** The part is unsynced until this ends well, so that whoever settles meanwhile waits for it. */
  private async syncPart(part: string): Promise<void> {
    const mine = syncFolder(join(this.folder, part)).catch((error: unknown) => {
      if (this.unsynced.get(part) === mine) this.unsynced.set(part, undefined);
      throw error;
    });
    this.unsynced.set(part, mine);
    await mine;
    if (this.unsynced.get(part) === mine) this.unsynced.delete(part);
  }

  private async drop(digest: string): Promise<void> {
    this.names.delete(digest);
    await rm(this.path(digest), { force: true });
  }

  private async make(): Promise<void> {
    this.made ??= (async () => {
      const options = { recursive: true, mode: 0o700 };
      await mkdir(join(this.folder, DRAFTS), options);
      await Promise.all(PARTS.map(async (part) => await mkdir(join(this.folder, part), options)));
      await syncFolder(this.folder);
    })();
    await this.made.catch((error: unknown) => {
      this.made = undefined;
      throw error;
    });
  }

  private path(digest: string): string {
    return join(this.folder, digest.slice(0, 2), digest);
  }
}

/** What is not to be swept meanwhile. */
export interface ChunkHold {
  add: (digest: string) => void;
  release: () => void;
}

const PARTS = Array.from({ length: 256 }, (_, part) => part.toString(16).padStart(2, '0'));

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}
