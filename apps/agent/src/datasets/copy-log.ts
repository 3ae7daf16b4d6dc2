import { open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { isMissing, syncFolder } from '../files/atomic-file.js';

/**
 * A file of lines that are only ever added: `<crc32> <json>`. A last line that is not whole was not written to its end when the
 * machine or the disk failed, was never acknowledged, and is cut off. One writer.
 */
export class CopyLog {
  private constructor(
    readonly path: string,
    private file: FileHandle,
    private length: number,
  ) {}

  /** Opens or makes it; with every value that is in it. `damaged`: lines before the last are not what was written. */
  static async open(path: string): Promise<{ log: CopyLog; values: unknown[]; damaged: boolean }> {
    const text = await readFile(path).catch((error: unknown) => {
      if (isMissing(error)) return Buffer.alloc(0);
      throw error;
    });
    const { values, length, damaged } = readLines(text);
    const file = await open(path, 'a', 0o600);
    if (length < text.length) await file.truncate(length);
    if (text.length === 0) await syncFolder(dirname(path));
    return { log: new CopyLog(path, file, length), values, damaged };
  }

  /** Bytes of the file. */
  get bytes(): number {
    return this.length;
  }

  /** Adds values; with `durable` it resolves when they are on the disk. Rejects with nothing of them in the file. */
  async append(values: readonly unknown[], { durable }: { durable: boolean }): Promise<void> {
    const bytes = Buffer.concat(values.map(lineOf));
    try {
      await writeWhole(this.file, bytes);
      if (durable) await this.file.datasync();
    } catch (cause) {
      await this.file.truncate(this.length).catch(() => undefined);
      throw cause;
    }
    this.length += bytes.length;
  }

  /** Has these values alone from now on: in place of the old file in one step. */
  async replace(values: Iterable<unknown>): Promise<void> {
    const draft = `${this.path}.new`;
    const file = await open(draft, 'w', 0o600);
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
    } finally {
      await file.close();
    }
    await rename(draft, this.path);
    await syncFolder(dirname(this.path));
    await this.file.close();
    this.file = await open(this.path, 'a', 0o600);
    this.length = length;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 10;
const CRC_CHARS = 8;

function lineOf(value: unknown): Buffer {
  const text = JSON.stringify(value);
  return Buffer.from(`${crc32(text).toString(16).padStart(CRC_CHARS, '0')} ${text}\n`);
}

async function writeWhole(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}

/** Every whole line; `length` ends with the last of them. */
function readLines(text: Buffer): { values: unknown[]; length: number; damaged: boolean } {
  const values: unknown[] = [];
  let [length, bad, damaged] = [0, false, false];
  for (let at = 0, end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, at)) {
    const line = text.toString('utf8', at, end);
    const json = line.slice(CRC_CHARS + 1);
    at = end + 1;
    if (crc32(json).toString(16).padStart(CRC_CHARS, '0') !== line.slice(0, CRC_CHARS)) {
      bad = true;
      continue;
    }
    values.push(JSON.parse(json));
    length = at;
    damaged ||= bad;
  }
  return { values, length, damaged };
}
