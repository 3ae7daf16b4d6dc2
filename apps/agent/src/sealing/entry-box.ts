import type { LogItem, OwnEntry } from '@skerry/contracts';
import { openText, sealText } from './box.js';
import type { HeldKey } from './record-box.js';

const PURPOSE = 'skerry-entry-v1';

/** An entry of a log, of who wrote it. */
export type Entry = Exclude<LogItem, { gap: unknown }>;

/** An entry of this node as it may lie anywhere: what it holds is sealed, and counts for this log, writer, number and moment alone. */
export function sealEntry({ number, at, value }: OwnEntry, origin: string, by: HeldKey): OwnEntry {
  const bound = boundTo(by, { origin, number, at });
  const box = sealText(value, { secret: by.secret, purpose: PURPOSE, bound });
  return { number, at, value: '', sealed: { key: by.id, box } };
}

/** An entry with what it holds; undefined when that is not what somebody with the key sealed for this place. */
export function openEntry({ origin, number, at, sealed }: Entry, by: HeldKey): Entry | undefined {
  const bound = boundTo(by, { origin, number, at });
  const value = openText(sealed?.box ?? '', { secret: by.secret, purpose: PURPOSE, bound });
  return value === undefined ? undefined : { origin, number, at, value };
}

function boundTo(
  { project, name, incarnation, area, id }: HeldKey,
  { origin, number, at }: Pick<Entry, 'origin' | 'number' | 'at'>,
): string {
  return JSON.stringify([PURPOSE, project, name, incarnation, area, id, origin, number, at]);
}
