import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '@skerry/contracts';
import { isMissing } from '../files/atomic-file.js';

/** Uploads that are under way at one node, and how long one is kept that nobody goes on with. */
const MOST = 16;
const KEPT_MS = 24 * 60 * 60_000;

/** Files that people send piece by piece, until they are whole: each a file of its own, so that a cut costs one piece at most. */
export class Uploads {
  constructor(private readonly folder: string) {}

  /** How many bytes of an upload are here. */
  async received(id: string): Promise<number> {
    return (await stat(join(this.folder, id)).catch(orMissing))?.size ?? 0;
  }

  /** Begins an upload, or goes on with it. */
  async begin(id: string): Promise<number> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await this.dropOld();
    const names = await readdir(this.folder);
    if (!names.includes(id) && names.length >= MOST)
      throw new Refusal('throttled', `${MOST} uploads are under way at this site`, {
        hint: 'go on when one of them has ended; one that nobody goes on with ends after a day',
      });
    return await this.received(id);
  }

  /** Adds bytes at a place; what is here already, or follows something that is not, changes nothing. Returns how many are here. */
  async add(id: string, offset: number, bytes: Uint8Array): Promise<number> {
    const here = await this.received(id);
    if (offset !== here) return here;
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const file = await open(join(this.folder, id), 'a', 0o600);
    try {
      await file.writeFile(bytes);
    } finally {
      await file.close();
    }
    return here + bytes.length;
  }

  /** All its bytes. */
  read(id: string): AsyncIterable<Uint8Array> {
    return createReadStream(join(this.folder, id));
  }

  async remove(id: string): Promise<void> {
    await rm(join(this.folder, id), { force: true });
  }

  private async dropOld(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      const there = await stat(join(this.folder, name)).catch(orMissing);
      if (there !== undefined && Date.now() - there.mtimeMs > KEPT_MS) await this.remove(name);
    }
  }
}

function orMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined;
  throw error;
}
