import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Noun } from './nouns.js';

/** A message as it lay in a stream. */
export interface StoredEntry {
  subject: string;
  sequence: number;
  /** ms since 1970. */
  storedAt: number;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
}

/** Bytes of bodies in one chunk, unless a single message has more. */
const CHUNK_BYTES = 512 * 1024;
const CHUNK_ENTRIES = 512;
/** A chunk of keys ends behind one key in so many, chosen by the key alone. */
const ONE_IN = 64;
/** A chunk of a log covers so many sequences. */
const SEQUENCES = 128;

/**
 * Cuts what was read into chunks such that a later backup makes the same ones of what did not change: by keys, the cuts depend on
 * the key next to them alone, so that a key that comes or goes changes its own chunk; in a log, on the sequence.
 */
export class Cutter {
  private chunk: StoredEntry[] = [];
  private bytes = 0;

  constructor(private readonly layout: Noun['layout']) {}

  /** The chunk that ends before this entry, if one does. Entries come by subject, those of a log by sequence. */
  add(entry: StoredEntry): StoredEntry[] | undefined {
    const last = this.chunk.at(-1);
    const full = this.bytes >= CHUNK_BYTES || this.chunk.length >= CHUNK_ENTRIES;
    const ended =
      last !== undefined && (full || endsBetween(last, entry, this.layout)) ? this.end() : undefined;
    this.chunk.push(entry);
    this.bytes += entry.body.length;
    return ended;
  }

  /** What is left at the end. */
  end(): StoredEntry[] | undefined {
    const { chunk } = this;
    [this.chunk, this.bytes] = [[], 0];
    return chunk.length === 0 ? undefined : chunk;
  }
}

function endsBetween(last: StoredEntry, next: StoredEntry, layout: Noun['layout']): boolean {
  if (layout === 'log')
    return Math.floor(last.sequence / SEQUENCES) !== Math.floor(next.sequence / SEQUENCES);
  return createHash('sha256').update(last.subject).digest().readUInt16BE(0) % ONE_IN === 0;
}

/** The order in which keys are cut. */
export function bySubject(a: StoredEntry, b: StoredEntry): number {
  return a.subject < b.subject ? -1 : a.subject > b.subject ? 1 : 0;
}

const lineSchema = z.strictObject({
  s: z.string().min(1),
  q: z.number().int().min(1),
  t: z.number().int(),
  h: z.record(z.string(), z.string()).optional(),
  /** A body that is text, or its bytes in base64. */
  b: z.string().optional(),
  x: z.string().optional(),
});

/** One JSON line an entry; the same entries give the same bytes. */
export function encodeEntries(entries: readonly StoredEntry[]): Buffer {
  return Buffer.from(entries.map((entry) => `${JSON.stringify(lineOf(entry))}\n`).join(''));
}

function lineOf({ subject: s, sequence: q, storedAt: t, headers, body }: StoredEntry) {
  const names = Object.keys(headers).toSorted();
  const h = Object.fromEntries(names.map((name) => [name, headers[name]]));
  const bytes = Buffer.from(body);
  const text = bytes.toString('utf8');
  const isText = Buffer.from(text).equals(bytes);
  return {
    s,
    q,
    t,
    ...(names.length === 0 ? {} : { h }),
    ...(isText ? { b: text } : { x: bytes.toString('base64') }),
  };
}

/** What `encodeEntries` made. Throws for anything else. */
export function decodeEntries(bytes: Uint8Array): StoredEntry[] {
  const lines = Buffer.from(bytes).toString('utf8').split('\n');
  return lines.filter(Boolean).map((line) => {
    const { s, q, t, h = {}, b, x } = lineSchema.parse(JSON.parse(line));
    const body = x === undefined ? Buffer.from(b ?? '') : Buffer.from(x, 'base64');
    return { subject: s, sequence: q, storedAt: t, headers: h, body };
  });
}
