import { SINGLETON_LEASE } from '@skerry/domain';

/** What a writer did to a key, and what it was told of that. */
export interface Entry {
  readonly key: string;
  readonly site: string;
  readonly verb: 'put' | 'delete' | 'count' | 'change';
  /** Of `put`: no two write the same. Of `change`: the element. */
  readonly value: string;
  /** Of `count`. */
  readonly by: number;
  readonly removes: boolean;
  readonly startMs: number;
  /** When it was told that this is stored. */
  ackMs?: number;
  /** It was told that this is not stored. */
  refused?: string;
  /** What was read of the key there just before, and given back with the write where that counts. */
  read?: readonly string[];
  /** It was read and written at the very same copy. */
  same?: boolean;
  /** Of a home that moves: the epoch in which the copy that was read had been given the pen by then. */
  readAsHome?: number;
  /** The dataset that the copy was of all the while. */
  incarnation?: number;
}

/** A write as it counts in the end. `sure`: it has to be there, `maybe`: it may be, for all that its writer knows. */
export interface Counted extends Entry {
  sure: boolean;
}

/** What a key shows in the end. */
export interface Final {
  value?: string | undefined;
  values?: readonly string[] | undefined;
  number?: number | undefined;
  elements?: readonly string[] | undefined;
}

/** Two clocks are at most so far apart, and so long after another write a write is newer by any of them. */
const LATER_MS = 4_100;

/** What is wrong with what a key shows in the end, given all that was written to it; undefined when it may be so. */
export function wrongWith(rule: string, entries: readonly Counted[], final: Final): string | undefined {
  switch (rule) {
    case 'counter':
      return wrongNumber(entries, final.number ?? 0);
    case 'set':
      return wrongElements(entries, new Set(final.elements));
    case 'keep-both':
      return wrongValues(entries, new Set(final.values));
    default:
      return wrongValue(entries, final.value);
  }
}

/** The sum of all that is sure, and of some of the rest. */
function wrongNumber(entries: readonly Counted[], number: number): string | undefined {
  const sure = entries.reduce((sum, e) => sum + (e.sure ? e.by : 0), 0);
  let possible = new Set([sure]);
  for (const { by } of entries.filter((e) => !e.sure))
    possible = new Set([...possible].flatMap((sum) => [sum, sum + by]));
  if (possible.has(number)) return undefined;
  return `counts ${number}; ${sure} is sure, and with what may be: ${[...possible].slice(0, 20).join()}`;
}

/** One of the newest writes: none that a write that is there has seen, or came long after. */
function wrongValue(entries: readonly Counted[], value: string | undefined): string | undefined {
  const there = entries.filter((e) => e.sure);
  const isOver = (e: Counted) =>
    there.some(
      (later) =>
        later !== e &&
        ((later.same === true && later.read?.includes(e.value) === true && e.verb === 'put') ||
          (e.ackMs !== undefined && later.startMs > e.ackMs + LATER_MS)),
    );
  if (value !== undefined) {
    const winner = entries.find((e) => e.verb === 'put' && e.value === value);
    if (winner === undefined) return `shows ${value}, which nobody wrote`;
    if (isOver(winner)) return `shows ${value}, and a newer write had seen it`;
    return undefined;
  }
  // Nothing: never written, or a deletion is the newest.
  const deleted = entries.some((e) => e.verb === 'delete' && !isOver(e));
  const written = there.find((e) => e.verb === 'put');
  return written === undefined || deleted ? undefined : `shows nothing, and ${written.value} was stored`;
}

/** Nothing is gone that no later write has seen, and nothing is there that one has. */
function wrongValues(entries: readonly Counted[], values: ReadonlySet<string>): string | undefined {
  for (const value of values) {
    if (!entries.some((e) => e.verb === 'put' && e.value === value))
      return `shows ${value}, which nobody wrote`;
    if (entries.some((e) => e.sure && e.same === true && e.read?.includes(value) === true))
      return `shows ${value}, in whose place another was put`;
  }
  const lost = entries.find(
    (e) =>
      e.sure &&
      e.verb === 'put' &&
      !values.has(e.value) &&
      !entries.some((later) => later.read?.includes(e.value) === true),
  );
  return lost && `lacks ${lost.value}, which nobody had seen who wrote later`;
}

/** An element is there when an addition came after all removals, and not when a removal has seen all additions. */
function wrongElements(entries: readonly Counted[], elements: ReadonlySet<string>): string | undefined {
  for (const element of new Set([...elements, ...entries.map(({ value }) => value)])) {
    const mine = entries.filter((e) => e.value === element);
    const additions = mine.filter((e) => !e.removes);
    const removals = mine.filter((e) => e.removes);
    const stays = additions.some(
      (a) => a.sure && removals.every((r) => r.ackMs !== undefined && r.ackMs < a.startMs),
    );
    const sawIt = (r: Counted) => r.sure && r.same === true && r.read?.includes(element) === true;
    const goes = additions.length === 0 || (additions.length === 1 && removals.some(sawIt));
    if (stays && !elements.has(element)) return `lacks ${element}`;
    if (goes && elements.has(element)) return `has ${element}, which was removed or never added`;
  }
  return undefined;
}

/** A word of a home: the hub took it, at `atMs`, or a copy keeps it for people as set aside. Without a value it deletes. */
export interface HomeWord {
  readonly site: string;
  readonly epoch: number;
  readonly value: string | undefined;
  readonly atMs?: number;
}

/** Where all that was written to one key of a dataset with a home that moves may be in the end. */
export interface HomeWords {
  taken: readonly HomeWord[];
  aside: readonly HomeWord[];
  /** By how much a write may have begun after another one at this site had been acknowledged, and count as older. */
  apartMs: (site: string) => number;
}

/**
 * What is wrong with a key of a dataset whose home moves: what was acknowledged is at the hub, set aside where it was written, or
 * written over there by what is; nothing of it is both; and what is shown is older than nothing that the hub has.
 */
export function wrongAtHome(
  entries: readonly Counted[],
  value: string | undefined,
  { taken, aside, apartMs }: HomeWords,
): string | undefined {
  const isTaken = (e: Entry) => taken.some((word) => isWordOf(word, e));
  const isAside = (e: Entry) => aside.some((word) => isWordOf(word, e));
  const after = (later: Entry, e: Entry) =>
    (later.ackMs ?? Infinity) + (later.site === e.site ? apartMs(e.site) : 0) > e.startMs;
  const both = entries.find((e) => e.verb === 'put' && isTaken(e) && isAside(e));
  if (both !== undefined) return `${both.value} is set aside at ${both.site}, and the hub has it`;
  const kept = entries.filter((e) => isTaken(e) || isAside(e));
  const lost = entries.find(
    (e) => e.sure && !kept.includes(e) && !kept.some((l) => l.site === e.site && after(l, e)),
  );
  if (lost !== undefined)
    return `lacks ${lost.verb} ${lost.value}, which ${lost.site} had stored and has not set aside`;
  const shown = entries.filter((e) => (value === undefined ? e.verb === 'delete' : e.value === value));
  if (value !== undefined && shown.length === 0) return `shows ${value}, which nobody wrote`;
  const newer = entries.find((e) => e.sure && isTaken(e) && !shown.some((s) => after(s, e)));
  if (newer !== undefined)
    return `shows ${value ?? 'nothing'}, and ${newer.verb} ${newer.value} was written after it`;
  return unseenAtHome(entries, taken, after);
}

/** Whether a copy that had the pen of an epoch did not show what the hub had taken in epochs before. */
function unseenAtHome(
  entries: readonly Counted[],
  taken: readonly HomeWord[],
  after: (later: Entry, e: Entry) => boolean,
): string | undefined {
  for (const { readAsHome: epoch, read: values, site, sure, same } of entries) {
    if (epoch === undefined || values === undefined || !sure || same !== true) continue;
    const [read] = values;
    const seen = entries.filter((e) => (read === undefined ? e.verb === 'delete' : e.value === read));
    // Of an earlier term the hub may have taken it later: it had forgotten it.
    const earlier = taken.filter((word) => word.epoch < epoch && termOf(word.epoch) === termOf(epoch));
    const missed = entries.find(
      (e) =>
        e.sure &&
        e.verb === 'put' &&
        earlier.some((word) => isWordOf(word, e)) &&
        !seen.some((s) => s === e || after(s, e)),
    );
    if (missed !== undefined)
      return `showed ${read ?? 'nothing'} at ${site} as home in epoch ${epoch}, and ${missed.value} had been stored before`;
  }
  return undefined;
}

/** Which term of the hub an epoch was given in. */
export function termOf(epoch: number): number {
  return Math.floor(epoch / SINGLETON_LEASE.perTerm);
}

/** Whether nothing was written in an epoch after something of a later one had been acknowledged: two homes at a time. */
export function wrongOrder(entries: readonly Entry[], words: readonly HomeWord[]): string | undefined {
  const known = entries.flatMap((entry) => {
    const word = entry.verb === 'put' ? words.find((w) => isWordOf(w, entry)) : undefined;
    return word === undefined ? [] : [{ entry, epoch: word.epoch }];
  });
  for (const { entry, epoch } of known) {
    const later = known.find(
      (k) => k.epoch > epoch && k.entry.ackMs !== undefined && k.entry.ackMs < entry.startMs,
    );
    if (later !== undefined)
      return `was written at ${entry.site} in epoch ${epoch} (${entry.value}) after ${later.entry.site} had stored ${later.entry.value} in epoch ${later.epoch}`;
  }
  return undefined;
}

/** Of deletions only where and when they came about is known. */
function isWordOf({ site, value, atMs = Infinity }: HomeWord, entry: Entry): boolean {
  if (site !== entry.site) return false;
  return entry.verb === 'put' ? value === entry.value : value === undefined && atMs >= entry.startMs;
}
