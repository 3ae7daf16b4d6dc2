import { open, readFile } from 'node:fs/promises';
import type { LogLine } from '@skerry/contracts';
import { LOG_STREAMS, logPaths, OLD_LOGS, sizeOf, type LogStream } from './log-files.js';

/** Characters of one line that are given out; longer ones are cut. */
export const MAX_LINE_CHARS = 8_192;
/** Bytes read of one file at once. */
const READ_BYTES = 1024 * 1024;

/** Whose logs are read. */
export interface LogSource {
  site: string;
  replica: string;
  folder: string;
}

/** The last `count` lines of a replica over both streams and over exchanged files, oldest first; at most 3 MiB back in each. */
export async function tail(source: LogSource, count: number): Promise<LogLine[]> {
  if (count === 0) return [];
  const lines: LogLine[] = [];
  for (const stream of LOG_STREAMS) {
    const found: LogLine[] = [];
    for (let age = 0; age <= OLD_LOGS && found.length < count; age++) {
      const { log } = logPaths(source.folder, stream, age);
      const size = await sizeOf(log);
      const from = Math.max(0, size - READ_BYTES);
      found.unshift(...(await read(source, stream, { age, from, to: size })).lines);
    }
    lines.push(...found.slice(-count));
  }
  return lines.toSorted(byTime).slice(-count);
}

/** Where a follower stands in each stream. */
export type Position = Record<LogStream, number>;

/** Oldest first. Not by the locale's order: that loads a collation of several MiB, and these are plain ASCII. */
export const byTime = (a: LogLine, b: LogLine): number => (a.at === b.at ? 0 : a.at < b.at ? -1 : 1);

/** The ends of the streams as they are now. */
export async function ends(source: LogSource): Promise<Position> {
  const size = async (stream: LogStream) => await sizeOf(logPaths(source.folder, stream).log);
  return { stdout: await size('stdout'), stderr: await size('stderr') };
}

/** Whole lines written since a position, at most 1 MiB of each stream, and the position behind them. */
export async function since(
  source: LogSource,
  position: Position,
): Promise<{ lines: LogLine[]; position: Position }> {
  const next = { ...position };
  const lines: LogLine[] = [];
  for (const stream of LOG_STREAMS) {
    const size = await sizeOf(logPaths(source.folder, stream).log);
    // A smaller file was exchanged: it goes on at its beginning.
    const from = size < position[stream] ? 0 : position[stream];
    const got = await read(source, stream, {
      age: 0,
      from,
      to: Math.min(size, from + READ_BYTES),
      whole: true,
    });
    lines.push(...got.lines);
    next[stream] = got.end;
  }
  return { lines: lines.toSorted(byTime), position: next };
}

interface Span {
  age: number;
  from: number;
  to: number;
  /** Leave an unfinished last line for the next time. */
  whole?: boolean;
}

async function read(
  source: LogSource,
  stream: LogStream,
  span: Span,
): Promise<{ lines: LogLine[]; end: number }> {
  const { log, index } = logPaths(source.folder, stream, span.age);
  if (span.to <= span.from) return { lines: [], end: span.from };
  const bytes = await readSpan(log, span);
  const last = bytes.lastIndexOf(0x0a) + 1;
  const used = span.whole === true && bytes.length < READ_BYTES ? last : bytes.length;
  const timeOf = await timesOf(index);
  const lines: LogLine[] = [];
  // In the middle of a file the first line is a torn one.
  let at = span.from > 0 && span.whole !== true ? bytes.indexOf(0x0a) + 1 : 0;
  while (at < used) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline < 0 || newline >= used ? used : newline;
    lines.push({
      site: source.site,
      replica: source.replica,
      at: timeOf(span.from + end),
      stream,
      line: bytes.toString('utf8', at, Math.min(end, at + 4 * MAX_LINE_CHARS)).slice(0, MAX_LINE_CHARS),
    });
    at = end + 1;
  }
  return { lines, end: span.from + used };
}

async function readSpan(path: string, { from, to }: Span): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(to - from);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** When the log had grown to an offset: the time of the first note at or behind it, else now. */
async function timesOf(index: string): Promise<(offset: number) => string> {
  const text = await readFile(index, 'utf8').catch(() => '');
  const notes = text.split('\n').flatMap((line) => {
    const [size, at] = line.split(' ').map(Number);
    return size === undefined || at === undefined || !Number.isFinite(at) ? [] : [{ size, at }];
  });
  const now = new Date().toISOString();
  let next = 0;
  return (offset) => {
    // Offsets come in rising order.
    for (let note = notes[next]; note !== undefined && note.size < offset; note = notes[next]) next++;
    const note = notes[next];
    return note === undefined ? now : new Date(note.at).toISOString();
  };
}
