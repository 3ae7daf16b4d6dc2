import { execFileSync } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

const FILLER = 'filler';

/** Mounting needs root. */
export const mayMount = process.getuid?.() === 0;

/** A disk of its own under one folder, in memory: filled and freed as a test wants. */
export class SmallDisk {
  private constructor(private readonly folder: string) {}

  static async mount(folder: string, sizeMiB: number): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=0700`, 'tmpfs', folder]);
    return new SmallDisk(folder);
  }

  /** Takes all the room there is, to the last page. */
  async fill(): Promise<void> {
    const file = await open(join(this.folder, FILLER), 'a');
    for (const bytes of [1024 * 1024, 4 * 1024]) {
      const block = Buffer.alloc(bytes, 'x');
      while (await wrote(file.write(block)));
    }
    await file.close();
  }

  async free(): Promise<void> {
    await rm(join(this.folder, FILLER), { force: true });
  }

  /** Lazily, since a process that is about to end may still have a file open. */
  unmount(): void {
    execFileSync('umount', ['--lazy', this.folder]);
  }
}

async function wrote(writing: Promise<unknown>): Promise<boolean> {
  return writing.then(
    () => true,
    (cause: unknown) => {
      if (typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ENOSPC')
        return false;
      throw cause;
    },
  );
}
