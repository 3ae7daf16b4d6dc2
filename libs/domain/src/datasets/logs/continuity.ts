import type { Gap, LogItem, StoredEntries } from '@skerry/contracts';

/** Of each origin up to which of its entries was read. */
export type Reached = Readonly<Record<string, number>>;

/** The item's origin and the entries that it stands for. */
export function spanOf(item: LogItem): Gap {
  return 'gap' in item ? item.gap : { origin: item.origin, from: item.number, to: item.number };
}

/**
 * What of these items is new to a reader, in their order, with a gap before what does not follow what was read. A `fresh` reader
 * takes each origin from where it meets it; any other has missed what an unknown origin wrote before. Of more than `most` origins
 * those that were met first are forgotten: who reads all again reads theirs as new.
 */
export function following(
  reached: Reached,
  items: readonly LogItem[],
  { fresh, most = Infinity }: { fresh: boolean; most?: number },
): { items: LogItem[]; reached: Record<string, number> } {
  const now: Record<string, number> = { ...reached };
  const out: LogItem[] = [];
  for (const item of items) {
    const { origin, from, to } = spanOf(item);
    const last = now[origin] ?? (fresh ? from - 1 : 0);
    if (to <= last) continue;
    if ('gap' in item) out.push({ gap: { origin, from: last + 1, to } });
    else {
      // Of what another area wrote not every entry is told.
      if (from > last + 1 && item.area === undefined)
        out.push({ gap: { origin, from: last + 1, to: from - 1 } });
      out.push(item);
    }
    now[origin] = to;
  }
  const known = Object.entries(now);
  const kept = known.length > most ? Object.fromEntries(known.slice(-most)) : now;
  return { items: merged(out), reached: kept };
}

/** What a stored batch holds: its entries, and a gap for what is missing of it. */
export function itemsOf({ origin, from, upTo, entries }: StoredEntries): LogItem[] {
  const items: LogItem[] = [];
  let next = from;
  for (const entry of entries) {
    if (entry.number > next) items.push({ gap: { origin, from: next, to: entry.number - 1 } });
    items.push({ origin, ...entry });
    next = entry.number + 1;
  }
  if (next <= upTo) items.push({ gap: { origin, from: next, to: upTo } });
  return items;
}

/** One gap for two of one origin of which the second follows the first at once. */
function merged(items: readonly LogItem[]): LogItem[] {
  const out: LogItem[] = [];
  for (const item of items) {
    const before = out.at(-1);
    if (before !== undefined && 'gap' in before && 'gap' in item && follows(before.gap, item.gap))
      out[out.length - 1] = { gap: { ...before.gap, to: item.gap.to } };
    else out.push(item);
  }
  return out;
}

function follows(a: Gap, b: Gap): boolean {
  return a.origin === b.origin && a.to + 1 === b.from;
}
