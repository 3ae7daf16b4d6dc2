import { open, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { appendWhole } from '../files/append-whole.js';
import { syncFolder } from '../files/atomic-file.js';
import { lineOf, valueOf } from './checked-line.js';
import { Successor } from './successor.js';

/**
 * A file of lines that are only ever added: `<crc32> <json>`. A last line that is not whole was not written to its end when the
 * machine or the disk failed, was never acknowledged, and is cut off. One writer.
 */
export class CopyLog {
  /** Whether a crash may bring back the file that this one took the place of. */
  private isNameless = false;
  private successor: Successor | undefined;

  private constructor(
    readonly path: string,
    private file: FileHandle,
    private length: number,
  ) {}

  /** Opens or makes it. `read` comes before the first `append`. */
  static async open(path: string): Promise<CopyLog> {
    const file = await open(path, 'a+', 0o600);
    const { size } = await file.stat();
    if (size === 0) await syncFolder(dirname(path));
    return new CopyLog(path, file, size);
  }

  /** The value of the first line; undefined when there is none that is whole. */
  async first(): Promise<unknown> {
    for await (const line of linesOf(this.file)) return valueOf(line.text);
    return undefined;
  }

  /** Every value in order, a piece of the file at a time. `damaged`: lines before the last are not what was written. */
  async read(take: (value: unknown) => void): Promise<{ damaged: boolean }> {
    let [length, bad, damaged] = [0, false, false];
    for await (const { text, end } of linesOf(this.file)) {
      const value = valueOf(text);
      if (value === undefined) {
        bad = true;
        continue;
      }
      take(value);
      length = end;
      damaged ||= bad;
    }
    if (length < this.length) await this.file.truncate(length);
    this.length = length;
    return { damaged };
  }

  /** Bytes of the file. */
  get bytes(): number {
    return this.length;
  }

  /** Adds values; with `durable` it resolves when they are on the disk. Rejects with nothing of them in the file. */
  async append(values: readonly unknown[], { durable }: { durable: boolean }): Promise<void> {
    if (durable && this.isNameless) await this.keepName();
    const bytes = Buffer.concat(values.map(lineOf));
    await appendWhole(this.file, bytes, { at: this.length, durable });
    this.length += bytes.length;
    this.successor?.follow(bytes);
  }

  /** Begins a file that is to take the place of this one. Not while something is being added; one at a time. */
  begin(): Successor {
    this.successor = new Successor(`${this.path}.new`);
    return this.successor;
  }

  /**
   * Puts what was begun in the place of the old file in one step, ended by these values. Not while something is being added. When it
   * rejects it may be in place or not, and the log goes on with what is.
   */
  async succeed(last: Iterable<unknown> = []): Promise<void> {
    const { successor } = this;
    if (successor === undefined) return;
    this.successor = undefined;
    const before = this.file;
    try {
      const { file, length } = await successor.end(last);
      await rename(successor.path, this.path);
      [this.file, this.length, this.isNameless] = [file, length, true];
    } catch (cause) {
      await successor.drop();
      throw cause;
    }
    await before.close();
    await this.keepName();
  }

  /** Gives up what was begun. */
  async giveUp(): Promise<void> {
    const { successor } = this;
    this.successor = undefined;
    await successor?.drop();
  }

  /** Has these values alone from now on. */
  async replace(values: Iterable<unknown>): Promise<void> {
    const successor = this.begin();
    try {
      await successor.writeAll(values);
    } catch (cause) {
      await this.giveUp();
      throw cause;
    }
    await this.succeed();
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  private async keepName(): Promise<void> {
    if (!this.isNameless) return;
    await syncFolder(dirname(this.path));
    this.isNameless = false;
  }
}

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 10;

/** Every whole line, and where it ends in the file. */
async function* linesOf(file: FileHandle): AsyncGenerator<{ text: string; end: number }> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest = Buffer.alloc(0);
  let position = 0;
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return;
    const begin = position - rest.length;
    position += bytesRead;
    const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      const text = bytes.toString('utf8', at, end);
      at = end + 1;
      yield { text, end: begin + at };
    }
    rest = bytes.subarray(at);
  }
}
