import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Target } from './target.js';

const DRAFT = /\.[0-9a-f]{12}\.draft$/;

/** A folder on this machine: one file a blob (mode 0600), synced before it gets its name. */
export class FolderTarget implements Target {
  readonly place: string;

  constructor(folder: string) {
    this.place = resolve(folder);
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.path(name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const draft = `${path}.${randomBytes(6).toString('hex')}.draft`;
    try {
      const file = await open(draft, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
    } catch (cause) {
      await rm(draft, { force: true });
      throw new Error(`write ${path}`, { cause });
    }
    await syncFolder(dirname(path));
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return await readFile(this.path(name)).catch(orNothing);
  }

  async remove(name: string): Promise<void> {
    const path = this.path(name);
    await rm(path, { force: true });
    // What is removed after this one is never gone before it.
    await syncFolder(dirname(path)).catch(orNothing);
  }

  async list(prefix: string): Promise<string[]> {
    const folder = this.path(prefix);
    const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(orNothing);
    return (found ?? [])
      .filter((entry) => entry.isFile() && !DRAFT.test(entry.name))
      .map((entry) => relative(this.place, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .toSorted();
  }

  private path(name: string): string {
    return join(this.place, ...name.split('/'));
  }
}

/** Makes the rename itself survive a power loss. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function orNothing(cause: unknown): undefined {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT') return undefined;
  throw cause;
}
