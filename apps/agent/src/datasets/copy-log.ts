import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ANEW, appendWhole, writeWhole } from '../files/append-whole.js';
import { syncFolder } from '../files/atomic-file.js';
import { lineOf, valueOf } from './checked-line.js';

/**
 * A file of lines that are only ever added: `<crc32> <json>`. A last line that is not whole was not written to its end when the
 * machine or the disk failed, was never acknowledged, and is cut off. One writer.
 */
export class CopyLog {
  /** Whether a crash may bring back the file that this one took the place of. */
  private isNameless = false;

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
    if (durable) await this.keepName();
    const bytes = Buffer.concat(values.map(lineOf));
    await appendWhole(this.file, bytes, { at: this.length, durable });
    this.length += bytes.length;
  }

  /**
   * Has these values alone from now on: in place of the old file in one step. When it rejects it may have them or not, and goes on with
   * those that it has.
   */
  async replace(values: Iterable<unknown>): Promise<void> {
    const draft = `${this.path}.new`;
    const file = await open(draft, ANEW, 0o600);
    let length = 0;
    try {
      let chunk: Buffer[] = [];
      let size = 0;
      for (const value of values) {
        const line = lineOf(value);
        chunk.push(line);
        size += line.length;
        length += line.length;
        if (size < CHUNK_BYTES) continue;
        await writeWhole(file, Buffer.concat(chunk));
        [chunk, size] = [[], 0];
      }
      await writeWhole(file, Buffer.concat(chunk));
      await file.sync();
      await rename(draft, this.path);
    } catch (cause) {
      await file.close();
      await rm(draft, { force: true });
      throw cause;
    }
    const before = this.file;
    [this.file, this.length, this.isNameless] = [file, length, true];
    await before.close();
    await this.keepName();
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
