import { mkdir, open, readdir, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ANEW, appendWhole, writeWhole } from '../../files/append-whole.js';
import { isMissing, syncFolder } from '../../files/atomic-file.js';
import { lineOf, valueOf } from '../checked-line.js';

const NAME = /^(\d{16})-(\d{16})\.part$/;

/** One file of a log: what it begins with, by its name. */
interface Part {
  path: string;
  /** Place of its first item, and how many entries were written here before it. */
  place: number;
  written: number;
  bytes: number;
  /** When it was last written to, ms since 1970. */
  at: number;
}

/** What begins at a new file. */
export interface Beginning {
  place: number;
  written: number;
  head: unknown;
}

/**
 * A log in several files of lines `<crc32> <json>`, of which the last is added to and the first goes when there is no room. The
 * first line of each says all that has to be known of what lay before it. One writer. The last file's lines are in memory.
 */
export class Segments<L> {
  /** The lines of one older file, the one read last. */
  private read: { path: string; lines: L[] } | undefined;

  private readonly parts: Part[];
  private file: FileHandle | undefined;
  private lines: L[];
  /** Whether a crash may undo that the last file was begun. */
  private isNameless = false;
  /** A line before the last one of the last file was not what was written. */
  readonly damaged: boolean;

  private constructor(
    private readonly folder: string,
    private readonly parse: (value: unknown) => L | undefined,
    there: { parts: Part[]; file?: FileHandle; lines: L[]; damaged: boolean },
  ) {
    ({ parts: this.parts, file: this.file, lines: this.lines, damaged: this.damaged } = there);
  }

  /** Opens what is there; `first` undefined: there is nothing. A file whose first line is not whole was never begun. */
  static async open<L>(
    folder: string,
    parse: (value: unknown) => L | undefined,
  ): Promise<{ segments: Segments<L>; first: unknown; lines: readonly L[] }> {
    const parts = await partsIn(folder);
    for (let last = parts.at(-1); last !== undefined; last = parts.at(-1)) {
      const { values, length, damaged } = readLines(await readFile(last.path));
      const [first, ...rest] = values;
      if (first === undefined) {
        parts.pop();
        await rm(last.path);
        continue;
      }
      const file = await open(last.path, 'a', 0o600);
      if (length < last.bytes) await file.truncate(length);
      last.bytes = length;
      const lines = parsed(rest, parse);
      return { segments: new Segments(folder, parse, { parts, file, lines, damaged }), first, lines };
    }
    const segments = new Segments<L>(folder, parse, { parts, lines: [], damaged: false });
    return { segments, first: undefined, lines: [] };
  }

  /** Bytes of all files, and of the last one's lines. */
  get bytes(): number {
    return this.parts.reduce((sum, part) => sum + part.bytes, 0);
  }
  get lastBytes(): number {
    return this.parts.at(-1)?.bytes ?? 0;
  }
  /** What the last file begins with. */
  get beginning(): { place: number; written: number } {
    const { place = 0, written = 0 } = this.parts.at(-1) ?? {};
    return { place, written };
  }
  /** Whether the last file has more than its first line. */
  get begun(): boolean {
    return this.lines.length > 0;
  }
  /** Place of the first item that is kept. */
  get first(): number {
    return this.parts[0]?.place ?? 0;
  }
  /** How many entries were written here up to the end of the first file; undefined when it is the only one. */
  get writtenInFirst(): number | undefined {
    return this.parts[1]?.written;
  }

  /** Adds lines; with `durable` they are on the disk then. Rejects with nothing of them in the file. */
  async append(lines: readonly L[], { durable }: { durable: boolean }): Promise<void> {
    const part = this.parts.at(-1);
    if (part === undefined || this.file === undefined) throw new Error('a log that was not begun');
    if (durable) await this.keepName();
    const bytes = Buffer.concat(lines.map(lineOf));
    await appendWhole(this.file, bytes, { at: part.bytes, durable });
    part.bytes += bytes.length;
    part.at = Date.now();
    for (const line of lines) this.lines.push(line);
  }

  /** Begins a new file. When it rejects it may be begun or not; then nothing is added to it before it is known to last. */
  async begin({ place, written, head }: Beginning): Promise<void> {
    if (this.parts.length === 0) await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, `${digits(place)}-${digits(written)}.part`);
    const bytes = lineOf(head);
    const draft = `${path}.new`;
    // What the first line says of what lay before it lasts no longer than that.
    await this.file?.datasync();
    const file = await open(draft, ANEW, 0o600);
    try {
      await writeWhole(file, bytes);
      await file.sync();
      // In one step: one that held nothing yet may have had the same name.
      await rename(draft, path);
    } catch (cause) {
      await file.close();
      await rm(draft, { force: true });
      throw cause;
    }
    const last = this.parts.at(-1);
    if (last?.path === path) this.parts.pop();
    this.parts.push({ path, place, written, bytes: bytes.length, at: Date.now() });
    const before = this.file;
    [this.file, this.lines, this.isNameless] = [file, [], true];
    await before?.close();
    await this.keepName();
  }

  /** The first file goes; never the last one. */
  async dropFirst(): Promise<void> {
    if (this.parts.length < 2) return;
    await this.keepName();
    const [part] = this.parts.splice(0, 1);
    if (part !== undefined) await rm(part.path, { force: true });
  }

  /** Whether all of the first file is older than this moment. */
  firstIsBefore(ms: number): boolean {
    const [part] = this.parts;
    return part !== undefined && part.at < ms;
  }

  /** Lines of all files from the one on that holds an item's place. */
  from(place: number): AsyncGenerator<L> {
    return this.linesFrom(this.parts.findLastIndex((part) => part.place <= place));
  }

  /** Lines of all files from the one on that holds an entry written here. */
  fromWritten(number: number): AsyncGenerator<L> {
    return this.linesFrom(this.parts.findLastIndex((part) => part.written < number));
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.folder, { recursive: true, force: true });
    await syncFolder(dirname(this.folder));
  }

  private async keepName(): Promise<void> {
    if (!this.isNameless) return;
    await syncFolder(this.folder);
    this.isNameless = false;
  }

  private async *linesFrom(index: number): AsyncGenerator<L> {
    // As they are now: what is dropped meanwhile is found to be gone, and what is added is seen next time.
    const parts = this.parts.slice(Math.max(0, index));
    const last = this.lines.slice();
    for (const [at, part] of parts.entries())
      yield* at === parts.length - 1 ? last : await this.linesIn(part);
  }

  private async linesIn({ path }: Part): Promise<L[]> {
    if (this.read?.path === path) return this.read.lines;
    const text = await readFile(path).catch((error: unknown) => {
      if (isMissing(error)) return Buffer.alloc(0);
      throw error;
    });
    const lines = parsed(readLines(text).values.slice(1), this.parse);
    this.read = { path, lines };
    return lines;
  }
}

function parsed<L>(values: readonly unknown[], parse: (value: unknown) => L | undefined): L[] {
  return values.flatMap((value) => {
    const line = parse(value);
    return line === undefined ? [] : [line];
  });
}

async function partsIn(folder: string): Promise<Part[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const parts: Part[] = [];
  // Of one length, so that their order is that of their numbers.
  for (const name of names.toSorted((a, b) => (a < b ? -1 : 1))) {
    const [, place, written] = NAME.exec(name) ?? [];
    if (place === undefined || written === undefined) continue;
    const path = join(folder, name);
    const { size, mtimeMs } = await stat(path);
    parts.push({ path, place: Number(place), written: Number(written), bytes: size, at: mtimeMs });
  }
  return parts;
}

function digits(number: number): string {
  return String(number).padStart(16, '0');
}

/** Every whole line; `length` ends with the last of them. `damaged`: one before that is not what was written. */
function readLines(text: Buffer): { values: unknown[]; length: number; damaged: boolean } {
  const values: unknown[] = [];
  let [length, bad, damaged] = [0, false, false];
  for (let at = 0, end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
    const value = valueOf(text.toString('utf8', at, end));
    at = end + 1;
    if (value === undefined) {
      // Without its first line nothing of a file counts.
      if (values.length === 0) return { values, length, damaged: true };
      bad = true;
      continue;
    }
    values.push(value);
    length = at;
    damaged ||= bad;
  }
  return { values, length, damaged };
}
