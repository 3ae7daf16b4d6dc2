import { LIMITS, type OwnEntry, type Tailed, type TailOperation } from '@skerry/contracts';
import { sealedChars } from '@skerry/domain';
import { itemsOfLine, type Line, type Placed } from './entry-lines.js';
import type { Segments } from './segments.js';

/** What an entry takes besides its value, at most. */
export const ENTRY_BYTES = 64;
/** The name of its key, and what that and the box are called. */
const SEAL_BYTES = 64;

/** Own entries from a number on, as many as go into one message; `upTo` the last when all are read. */
export async function readUnsent(
  segments: Segments<Line>,
  { origin, from, written, sealed }: { origin: string; from: number; written: number; sealed: boolean },
): Promise<{ from: number; upTo: number; entries: OwnEntry[] }> {
  const entries: OwnEntry[] = [];
  let bytes = 0;
  for await (const line of segments.fromWritten(from)) {
    for (const { item } of line[0] === 'o' ? itemsOfLine(line, origin) : []) {
      if ('gap' in item || item.number < from || item.number > written) continue;
      const { number, at, value } = item;
      bytes += ENTRY_BYTES + bytesOf(value, sealed);
      const last = entries.at(-1);
      if (last !== undefined && (entries.length === LIMITS.recordsPerMessage || bytes > LIMITS.recordsBytes))
        return { from, upTo: last.number, entries };
      entries.push({ number, at, value });
    }
  }
  return { from, upTo: written, entries };
}

/** A log as who reads it needs to know it: the place of its next item, and which one of its name it is. */
export interface Readable {
  origin: string;
  place: number;
  incarnation: number;
  ttlMs: number | undefined;
}

/** As it leaves. */
function bytesOf(value: string, sealed: boolean): number {
  const bytes = Buffer.byteLength(value);
  return sealed ? sealedChars(bytes) + SEAL_BYTES : bytes;
}

/**
 * What follows `since`, oldest first; or the newest. `lost` when what followed is on the disk no more, or `since` is of a log of
 * before. Bytes of a page are at most `recordsBytes` and one entry.
 */
export async function readTail(
  segments: Segments<Line>,
  log: Readable,
  asked: TailOperation,
): Promise<Tailed> {
  return asked.since === undefined
    ? await newest(segments, log, asked)
    : await after(segments, log, { ...asked, since: asked.since });
}

async function newest(segments: Segments<Line>, log: Readable, asked: TailOperation): Promise<Tailed> {
  const { site, fromMs, limit } = asked;
  const filtered = site !== undefined || fromMs !== undefined || log.ttlMs !== undefined;
  let found: Placed[] = [];
  for await (const line of segments.from(filtered ? 0 : Math.max(0, log.place - limit))) {
    found.push(...itemsOfLine(line, log.origin).filter((placed) => isWanted(placed, log, asked)));
    if (found.length > 2 * limit) found = found.slice(-limit);
  }
  const kept = new Page();
  for (const placed of found.slice(-limit).toReversed()) if (!kept.add(placed)) break;
  return { items: kept.items.toReversed(), since: `${log.incarnation}.${log.place}`, more: false };
}

async function after(
  segments: Segments<Line>,
  log: Readable,
  asked: TailOperation & { since: string },
): Promise<Tailed> {
  const [made = -1, number = -1] = asked.since.split('.').map(Number);
  const known =
    made === log.incarnation && Number.isSafeInteger(number) && number >= 0 && number <= log.place;
  const first = known ? Math.max(number, segments.first) : segments.first;
  const lost = known && number >= segments.first ? {} : { lost: true };
  const page = new Page();
  let end = first;
  for await (const line of segments.from(first)) {
    for (const placed of itemsOfLine(line, log.origin)) {
      if (placed.place < first || placed.place >= log.place) continue;
      if (isWanted(placed, log, asked) && (page.items.length === asked.limit || !page.add(placed)))
        return { items: page.items, since: `${log.incarnation}.${end}`, more: true, ...lost };
      end = placed.place + 1;
    }
  }
  return { items: page.items, since: `${log.incarnation}.${Math.max(end, log.place)}`, more: false, ...lost };
}

/** Items up to the bytes of one message. */
class Page {
  readonly items: Tailed['items'] = [];
  private bytes = 0;

  /** False when it is full. */
  add({ item }: Placed): boolean {
    this.bytes += ENTRY_BYTES + ('gap' in item ? 0 : Buffer.byteLength(item.value));
    if (this.items.length > 0 && this.bytes > LIMITS.recordsBytes) return false;
    this.items.push(item);
    return true;
  }
}

function isWanted({ item }: Placed, { ttlMs }: Readable, { site, fromMs = 0 }: TailOperation): boolean {
  const origin = 'gap' in item ? item.gap.origin : item.origin;
  if (site !== undefined && !origin.startsWith(`${site}.`)) return false;
  const oldest = ttlMs === undefined ? 0 : Date.now() - ttlMs;
  return 'gap' in item || item.at >= Math.max(fromMs, oldest);
}
