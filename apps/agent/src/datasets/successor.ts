import { open, rm, type FileHandle } from 'node:fs/promises';
import { ANEW, writeWhole } from '../files/append-whole.js';
import { lineOf } from './checked-line.js';

/** Written at once, and made in one go: others have their turn in between. */
const PIECE_BYTES = 128 * 1024;

/**
 * What is to take the place of a file of lines while that is still added to: first values as they are found, then, in its order, all that
 * was added meanwhile. So a value may be found as it was or as it has become by then; of lines about the same thing the last one counts.
 */
export class Successor {
  private length = 0;
  private file: FileHandle | undefined;
  private later: Uint8Array[] = [];
  private isStopped = false;

  /** From here on it is told of all that is added. */
  constructor(readonly path: string) {}

  /** This was added to the old file. */
  follow(bytes: Uint8Array): void {
    this.later.push(bytes);
  }

  /** Has these values, on the disk, and most of what followed; ends early when it is stopped. */
  async writeAll(values: Iterable<unknown>): Promise<void> {
    this.file = await open(this.path, ANEW, 0o600);
    let piece: Buffer[] = [];
    let size = 0;
    for (const value of values) {
      const line = lineOf(value);
      piece.push(line);
      size += line.length;
      if (size < PIECE_BYTES) continue;
      await this.write(piece);
      if (this.isStopped) return;
      [piece, size] = [[], 0];
    }
    await this.write(piece);
    await this.file.datasync();
    await this.write(this.later.splice(0));
  }

  stop(): void {
    this.isStopped = true;
  }

  /** Has all that was added, and these, on the disk: the file from now on, and its length. Nothing is added meanwhile. */
  async end(last: Iterable<unknown>): Promise<{ file: FileHandle; length: number }> {
    await this.write([...this.later.splice(0), ...[...last].map(lineOf)]);
    const { file, length } = this;
    if (file === undefined) throw new Error('it was not filled');
    await file.sync();
    return { file, length };
  }

  async drop(): Promise<void> {
    try {
      await this.file?.close();
    } finally {
      await rm(this.path, { force: true });
    }
  }

  private async write(pieces: readonly Uint8Array[]): Promise<void> {
    const { file } = this;
    if (file === undefined || pieces.length === 0) return;
    const bytes = Buffer.concat(pieces);
    await writeWhole(file, bytes);
    this.length += bytes.length;
  }
}
