import { createHash } from 'node:crypto';
import { Refusal, type ChunkRef, type Manifest } from '@skerry/contracts';
import { bytesIn } from '@skerry/domain';
import { openChunk } from '../sealing/chunk-box.js';
import type { HeldKey } from '../sealing/record-box.js';
import type { Objects } from './objects.js';

/** How long a reader waits for the beginning of an object that is not here, and for each further chunk. */
const FIRST_MS = 8_000;
const STALL_MS = 30_000;

/** Brings what is not here. */
export interface Fetcher {
  /** Somebody reads this object: it is brought as soon as it can be. */
  want(dataset: string, key: string): void;
  /** The hub may have lost what it had of these objects: it is asked, and brought what it lacks. */
  lost(dataset: string): void;
  /** Whether the hub is there to be asked. */
  reachable(): boolean;
}

/** An object that is read: the one that was chosen, whatever is written meanwhile. `end` when nothing more is read of it. */
export interface OpenObject {
  manifest: Manifest;
  /** Its bytes from a place on. Throws when a chunk does not come: what was given is then not all. */
  from(offset: number): AsyncGenerator<Uint8Array>;
  end(): void;
}

/**
 * Chooses which object of a key is read: the newest when it is here whole; with `fetch: ahead` else the one before, until the newest
 * is; else the newest while it is brought, and the one before when it cannot be. With `digest` that one or none.
 */
export async function openObject(
  objects: Objects,
  fetcher: Fetcher,
  { dataset, key, digest }: { dataset: string; key: string; digest?: string | undefined },
): Promise<OpenObject> {
  const kept = objects.needed(dataset);
  const newest = objects.newest(dataset, key);
  if (newest === undefined) throw noKey(dataset, key);
  const opened = new Opened(objects, fetcher, { dataset, key });
  try {
    if (newest.digest === digest || (digest === undefined && (await objects.isWhole(newest))))
      return await opened.begin(newest);
    const before = (await objects.marksOf(dataset)).whole(key);
    if (digest !== undefined) {
      if (before?.digest === digest) return await opened.begin(before);
      throw new Refusal('conflict', `${key} is ${newest.digest} by now`, { hint: 'begin to read it again' });
    }
    const older = before !== undefined && (await objects.isWhole(before)) ? before : undefined;
    if (older !== undefined && kept.copy.rule.objects?.fetch === 'ahead') return await opened.begin(older);
    return await opened.begin(newest).catch(async (error: unknown) => {
      if (older === undefined) throw error;
      return await opened.begin(older);
    });
  } catch (error) {
    opened.end();
    throw error;
  }
}

/** What is read: an object, its chunks, and the key that they are sealed with. */
interface What {
  manifest: Manifest;
  chunks: readonly ChunkRef[];
  key: HeldKey | undefined;
}

class Opened {
  private readonly held;

  constructor(
    private readonly objects: Objects,
    private readonly fetcher: Fetcher,
    private readonly of: { dataset: string; key: string },
  ) {
    this.held = objects.pool.hold();
  }

  /** Resolves when its first chunk is here. */
  async begin(manifest: Manifest): Promise<OpenObject> {
    const { rule } = this.objects.needed(this.of.dataset).copy;
    const key = await this.objects.keys.toOpen(rule, manifest);
    for (const { digest } of manifest.lists) this.held.add(digest);
    const chunks = (await this.objects.chunks(manifest)) ?? (await this.brought(manifest));
    for (const { digest } of chunks) this.held.add(digest);
    const [first] = chunks;
    if (first !== undefined) await this.here(first, FIRST_MS);
    const what = { manifest, chunks, key };
    const from = (offset: number) =>
      key === undefined || offset > 0 ? this.bytes(what, offset) : this.checked(what);
    return { manifest, from, end: () => this.end() };
  }

  end(): void {
    this.held.release();
  }

  private async brought(manifest: Manifest): Promise<ChunkRef[]> {
    for (const list of manifest.lists) await this.here(list, FIRST_MS);
    const chunks = await this.objects.chunks(manifest);
    if (chunks !== undefined) return chunks;
    throw new Refusal('internal', `the lists of ${this.of.key} are not those of an object`);
  }

  private async *bytes({ manifest, chunks, key }: What, offset: number): AsyncGenerator<Uint8Array> {
    let at = 0;
    for (const chunk of chunks) {
      const end = at + bytesIn(manifest, chunk);
      if (end > offset) {
        await this.here(chunk, STALL_MS);
        // Damaged since it was written: it was removed, and comes again.
        const bytes = (await this.objects.pool.read(chunk.digest)) ?? (await this.again(chunk));
        yield this.opened(bytes, chunk, key).subarray(Math.max(0, offset - at));
      }
      at = end;
    }
  }

  /** All its bytes, the last of them only when they are together what its digest says: whoever has the key may have written it. */
  private async *checked(what: What): AsyncGenerator<Uint8Array> {
    const whole = createHash('sha256');
    let last: Uint8Array | undefined;
    for await (const bytes of this.bytes(what, 0)) {
      whole.update(bytes);
      if (last !== undefined) yield last;
      last = bytes;
    }
    if (`sha256:${whole.digest('hex')}` !== what.manifest.digest)
      throw new Refusal('internal', `the bytes of ${this.of.key} are not what its digest says`);
    if (last !== undefined) yield last;
  }

  private opened(bytes: Uint8Array, { digest }: ChunkRef, key: HeldKey | undefined): Uint8Array {
    const opened = key === undefined ? bytes : openChunk(bytes, key);
    if (opened !== undefined) return opened;
    throw new Refusal('internal', `chunk ${digest} of ${this.of.key} is not what its key sealed`);
  }

  private async again(chunk: ChunkRef): Promise<Uint8Array> {
    await this.here(chunk, STALL_MS);
    const bytes = await this.objects.pool.read(chunk.digest);
    if (bytes !== undefined) return bytes;
    throw new Refusal('internal', `chunk ${chunk.digest} cannot be read`);
  }

  private async here({ digest }: ChunkRef, withinMs: number): Promise<void> {
    const { pool } = this.objects;
    if (pool.has(digest)) return;
    const { dataset, key } = this.of;
    this.fetcher.want(dataset, key);
    if (this.fetcher.reachable() && (await pool.until(digest, withinMs))) return;
    throw new Refusal('unavailable', `${key} is not here, and does not come`, {
      hint: 'try again when the site reaches the hub, and the site that wrote it has brought it there',
    });
  }
}

function noKey(dataset: string, key: string): Refusal {
  const shown = dataset.replace('.', '/');
  return new Refusal('not-found', `${shown} has no key ${key}`, {
    hint: `"skerry data ls ${shown}" lists its keys`,
  });
}
