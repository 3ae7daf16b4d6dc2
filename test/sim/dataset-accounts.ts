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
