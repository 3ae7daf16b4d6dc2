import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeAtomic } from './atomic-file.js';
import { Limiter } from './limiter.js';

/** Files written at once. */
const WRITES_AT_ONCE = 16;

/**
 * A folder of many small files that are replaced as a whole, each as by `writeAtomic`. What is written or removed at the same
 * time is made last together: a sync of the folder covers all that was renamed before it began, so that a hundred files that
 * come at once take a few syncs of the folder, not a hundred.
 */
export class DurableFolder {
  private readonly limiter = new Limiter(WRITES_AT_ONCE);
  private readonly writes = new Map<string, Promise<void>>();
  private running: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  constructor(private readonly path: string) {}

  /**
   * Makes a file what `text` says, undefined: that there is none; resolves when that is on the disk. Writes of one name follow
   * each other, and each writes what is so when its turn comes.
   */
  async keep(name: string, text: () => string | undefined): Promise<void> {
    const before = this.writes.get(name) ?? Promise.resolve();
    const mine = before
      .catch(() => undefined)
      .then(async () => await this.limiter.run(async () => await this.write(name, text())));
    this.writes.set(name, mine);
    try {
      await mine;
    } finally {
      if (this.writes.get(name) === mine) this.writes.delete(name);
    }
  }

  /** Whether a file is being written. */
  isWriting(name: string): boolean {
    return this.writes.has(name);
  }

  /** Resolves when all is on the disk. */
  async settled(): Promise<void> {
    await Promise.all(this.writes.values());
  }

  private async write(name: string, text: string | undefined): Promise<void> {
    const path = join(this.path, name);
    const nameIsKept = async () => await this.sync();
    if (text !== undefined) return await writeAtomic(path, text, { nameIsKept });
    await rm(path, { force: true });
    await this.sync();
  }

  /** One that has begun may not cover what was renamed since: that waits for the next, which covers all who wait. */
  private async sync(): Promise<void> {
    if (this.running === undefined) return await this.begin();
    this.next ??= this.running
      .catch(() => undefined)
      .then(async () => {
        this.next = undefined;
        await this.begin();
      });
    await this.next;
  }

  private async begin(): Promise<void> {
    const mine = syncFolder(this.path).finally(() => {
      if (this.running === mine) this.running = undefined;
    });
    this.running = mine;
    await mine;
  }
}
