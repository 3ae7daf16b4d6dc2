import type { ChosenCopy, DatasetSpec } from '@skerry/contracts';

/** How long a copy stays after nothing uses it, unless the dataset says otherwise. */
export const KEEP_MS = 600_000;

/** A site as the choice of copies sees it. */
export interface CopySite {
  readonly name: string;
  /** The rules let it have a copy (`copyMayBe`). */
  readonly allowed: boolean;
  /** It is heard and takes work. */
  readonly ready: boolean;
  /** Workloads that use the dataset and are placed there, and the site that alone writes it. */
  readonly users: readonly string[];
  /** How many workloads that use it may be placed there: where it is likely to be needed. */
  readonly likely: number;
  /** The copy there has had everything; undefined: nothing new is known of it. */
  readonly whole?: boolean | undefined;
  /** The site has said that the hub has every write of it. */
  readonly settled: boolean;
}

export interface CopyDemand {
  readonly copies: DatasetSpec['copies'];
  /** Every site, in any order. */
  readonly sites: readonly CopySite[];
  /** What was chosen before. */
  readonly present: readonly ChosenCopy[];
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** Whether it is Skerry that chooses where copies are. */
export function isChosen({ at, min, max }: DatasetSpec['copies']): boolean {
  return at === 'with-workloads' || min !== undefined || max !== undefined;
}

/**
 * Which sites have a copy from now on, by name. Where workloads use it there is one, up to `max`; at least `min` there are in any
 * case; what is used no more stays for `keepMs`. A copy is given up only when the hub has all that was written to it and enough
 * others are whole: there are never fewer whole copies than before, unless there are more than enough. One that was found when a
 * restored hub learned of the dataset again is not given up. What a rule forbids goes at once, whatever is left.
 */
export function chooseCopies({ copies, sites, present, nowMs }: CopyDemand): ChosenCopy[] {
  const rows = rowsOf(sites, present);
  const least = Math.max(copies.min ?? (copies.at === 'with-workloads' ? 0 : 1), 0);
  const most = copies.max ?? Number.POSITIVE_INFINITY;
  const at = new Date(nowMs).toISOString();
  bringToUsers(rows, most, at);
  bringSpare(rows, least, most, at);
  const marked = rows.map((row) => mark(row, at));
  giveUp(marked, { least, most, keepMs: copies.keepMs ?? KEEP_MS, nowMs });
  return marked.flatMap(({ copy }) => (copy === undefined ? [] : [copy]));
}

/** When it has to be looked at again though nothing is heard: ms since the epoch, or Infinity. */
export function copiesReviewAt(
  { keepMs = KEEP_MS }: DatasetSpec['copies'],
  chosen: readonly ChosenCopy[],
): number {
  return chosen.reduce(
    (soonest, { unusedSince }) =>
      unusedSince === undefined ? soonest : Math.min(soonest, Date.parse(unusedSince) + keepMs),
    Number.POSITIVE_INFINITY,
  );
}

interface Row {
  readonly site: CopySite;
  copy: ChosenCopy | undefined;
}

/** Of each allowed site what it has, by name. */
function rowsOf(sites: readonly CopySite[], present: readonly ChosenCopy[]): Row[] {
  const before = new Map(present.map((copy) => [copy.site, copy]));
  return sites
    .filter(({ allowed }) => allowed)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((site) => {
      const copy = before.get(site.name);
      const whole = copy !== undefined && (site.whole ?? copy.whole);
      return { site, copy: copy && { ...copy, whole } };
    });
}

const has = ({ copy }: Row) => copy !== undefined;
/** Counts against the limits: a copy at a site that is away is replaced by another. */
const counts = (row: Row) => has(row) && row.site.ready;
/** Counts against the most there may be. One that was found and is not used takes nobody's place: it may be any site's. */
const occupies = (row: Row) =>
  has(row) && (row.site.users.length > 0 || (row.site.ready && row.copy?.found !== true));
const healthy = (row: Row) => counts(row) && row.copy?.whole === true;
const number = (rows: readonly Row[], is: (row: Row) => boolean) => rows.filter(is).length;

function bringToUsers(rows: readonly Row[], most: number, since: string): void {
  const wanting = rows.filter((row) => !has(row) && row.site.users.length > 0);
  const order = wanting.toSorted((a, b) => b.site.users.length - a.site.users.length);
  for (const row of order.slice(0, Math.max(0, most - number(rows, occupies))))
    row.copy = begun(row.site, since, usedBy(row.site));
}

/** Where it is most likely to be needed. */
function bringSpare(rows: readonly Row[], least: number, most: number, since: string): void {
  const free = rows.filter((row) => !has(row) && row.site.ready);
  const order = free.toSorted((a, b) => b.site.likely - a.site.likely);
  const missing = Math.min(least - number(rows, counts), most - number(rows, occupies));
  for (const row of order.slice(0, Math.max(0, missing)))
    row.copy = begun(row.site, since, `one of at least ${least}`);
}

function begun({ name, whole = false }: CopySite, since: string, why: string): ChosenCopy {
  return { site: name, since, why, whole };
}

/** What each copy is there for now, and since when it is for nothing. */
function mark({ site, copy }: Row, at: string): Row {
  if (copy === undefined) return { site, copy };
  const { unusedSince, ...rest } = copy;
  if (site.users.length > 0) return { site, copy: { ...rest, why: usedBy(site) } };
  if (copy.found === true) return { site, copy: rest };
  return { site, copy: { ...rest, unusedSince: unusedSince ?? at } };
}

function giveUp(
  rows: readonly Row[],
  { least, most, keepMs, nowMs }: { least: number; most: number; keepMs: number; nowMs: number },
): void {
  // Those that are longest for nothing go first.
  const unused = rows
    .filter((row) => row.copy?.unusedSince !== undefined)
    .toSorted((a, b) => sinceOf(a) - sinceOf(b) || a.site.likely - b.site.likely);
  for (const row of unused) {
    const tooMany = number(rows, occupies) > most;
    if (!row.site.ready || !row.site.settled || (!tooMany && nowMs < sinceOf(row) + keepMs)) continue;
    const left = number(
      rows.filter((r) => r !== row),
      healthy,
    );
    if (left >= Math.max(1, Math.min(least, most))) row.copy = undefined;
  }
}

const sinceOf = ({ copy }: Row) => Date.parse(copy?.unusedSince ?? '');

function usedBy({ users }: CopySite): string {
  const names = users.slice(0, 3).join(', ');
  return `used by ${names}${users.length > 3 ? ` and ${users.length - 3} more` : ''}`.slice(0, 200);
}
