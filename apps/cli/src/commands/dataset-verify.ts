import { setTimeout as sleep } from 'node:timers/promises';
import type { Dataset, DatasetEntry, DatasetWhere } from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { keyOf } from '../names.js';
import { plain } from '../output/terminal.js';
import { copiesByArea } from './dataset-areas.js';
import { ask, find, refOf, textOf } from './datasets.js';
import type { Session } from './session.js';

const LOOK_MS = 300;
const PAGE = 1_000;
/** Keys that are shown as different. */
const SHOWN = 20;

interface Difference {
  key: string;
  /** By site; null where it holds nothing. */
  holds: Record<string, DatasetEntry | null>;
}

/** How copies compare: `atRest` when nothing was under way any more. */
interface Compared {
  atRest: boolean;
  same: boolean;
  copies: DatasetWhere['copies'];
}

/**
 * `skerry data verify DATASET`: whether all copies hold the same. Waits until nothing is under way; ends with 1 when they differ
 * then or a site does not answer, with 124 when writes go on.
 */
export async function verifyDataset(
  session: Session,
  name: string,
  { timeout: withinMs }: { timeout: number },
): Promise<void> {
  const { terminal } = session;
  const dataset = await find(session, name);
  if (dataset.spec.type === 'log')
    throw new CommandFailed(
      EXIT.usage,
      `${keyOf(dataset)} is a log: its sites keep what they have room for`,
      `skerry data where ${keyOf(dataset)}`,
    );
  const compared = await terminal.during('comparing', compare(session, dataset, withinMs));
  const { atRest, copies } = compared;
  const found =
    compared.same || !atRest ? { differences: [], more: false } : await differing(session, dataset, copies);
  // What runs out does so by each site's own clock: until it is swept its digest is another, and nothing else is.
  const same =
    compared.same || (atRest && dataset.spec.ttlMs !== undefined && found.differences.length === 0);
  terminal.result({ dataset: refOf(dataset), same, atRest, copies, ...found }, () =>
    show(session, copies, found),
  );
  const silent = copies.filter(({ state }) => state === undefined).map(({ site }) => site);
  if (silent.length > 0)
    throw failed(dataset, `${keyOf(dataset)}: ${silent.join(', ')} not compared`, EXIT.failed);
  if (!atRest)
    throw failed(dataset, `${keyOf(dataset)}: still being written to, nothing to compare yet`, EXIT.timedOut);
  if (!same) throw failed(dataset, `${keyOf(dataset)}: the copies differ`, EXIT.failed);
  const areas = copiesByArea(dataset, copies).length;
  terminal.say(
    `${keyOf(dataset)}: ${copies.length} copies hold the same${areas > 1 ? ', each what was written in its area' : ''}`,
  );
  terminal.next(`skerry data lag ${keyOf(dataset)}`);
}

async function compare(session: Session, dataset: Dataset, withinMs: number): Promise<Compared> {
  const deadline = performance.now() + withinMs;
  let before = '';
  for (;;) {
    const { copies } = await session.client.datasetWhere(dataset.project, dataset.name);
    const states = copies.flatMap(({ state }) => (state === undefined ? [] : [state]));
    const same = copiesByArea(dataset, copies).every((group) => digestsOf(group).size <= 1);
    const settled = states.every(({ unsent }) => unsent === 0);
    const all = states.length === copies.length;
    if (all && same && settled) return { atRest: true, same, copies };
    // The same twice, and at one place: no more will come to change it.
    const now = JSON.stringify(states.map(({ digest, cursor }) => [digest, cursor]));
    const still = settled && now === before && new Set(states.map(({ cursor }) => cursor)).size <= 1;
    if (all && still) return { atRest: true, same, copies };
    if (performance.now() > deadline) return { atRest: still, same, copies };
    before = now;
    if (session.signal.aborted) throw new CommandFailed(EXIT.interrupted, 'not compared to the end');
    await sleep(LOOK_MS);
  }
}

function digestsOf(copies: DatasetWhere['copies']): Set<string> {
  return new Set(copies.flatMap(({ state }) => (state === undefined ? [] : [state.digest])));
}

/** Which keys differ among copies that should hold the same. */
async function differing(
  session: Session,
  dataset: Dataset,
  copies: DatasetWhere['copies'],
): Promise<{ differences: Difference[]; more: boolean }> {
  const found: { differences: Difference[]; more: boolean } = { differences: [], more: false };
  for (const group of copiesByArea(dataset, copies)) {
    const { differences, more } = await differingIn(session, dataset, group);
    found.differences.push(...differences);
    found.more ||= more;
  }
  return found;
}

/** Those of the ranges whose digests differ, read at a site of each kind. */
async function differingIn(
  session: Session,
  dataset: Dataset,
  copies: DatasetWhere['copies'],
): Promise<{ differences: Difference[]; more: boolean }> {
  const byDigest = new Map(
    copies.flatMap(({ site, state }) => (state ? [[state.digest, site] as const] : [])),
  );
  const sites = [...byDigest.values()];
  const ranges = await Promise.all(sites.map(async (site) => await rangesOf(session, dataset, site)));
  const differences: Difference[] = [];
  const [first = []] = ranges;
  for (const [range, digest] of first.entries()) {
    if (ranges.every((other) => other[range] === digest)) continue;
    const held = await Promise.all(sites.map(async (at) => await rangeAt(session, dataset, { at, range })));
    for (const key of new Set(held.flatMap((entries) => [...entries.keys()]))) {
      const each = held.map((entries) => entries.get(key));
      if (new Set(each.map((entry) => JSON.stringify(comparable(entry)))).size <= 1) continue;
      if (differences.length === SHOWN) return { differences, more: true };
      differences.push({ key, holds: Object.fromEntries(sites.map((site, i) => [site, each[i] ?? null])) });
    }
  }
  return { differences, more: false };
}

async function rangesOf(session: Session, dataset: Dataset, site: string): Promise<string[]> {
  const answer = await ask(session, { verb: 'state', ...refOf(dataset), ranges: true }, { at: site });
  return 'state' in answer ? (answer.state.ranges ?? []) : [];
}

async function rangeAt(
  session: Session,
  dataset: Dataset,
  { at, range }: { at: string; range: number },
): Promise<Map<string, DatasetEntry>> {
  const entries = new Map<string, DatasetEntry>();
  let after: string | undefined;
  do {
    const from = after === undefined ? {} : { after };
    const answer = await ask(
      session,
      { verb: 'list', ...refOf(dataset), ...from, limit: PAGE, range },
      { at },
    );
    if (!('entries' in answer)) throw new CommandFailed(EXIT.failed, 'the site answered something else');
    for (const entry of answer.entries) entries.set(entry.key, entry);
    after = answer.next;
  } while (after !== undefined);
  return entries;
}

/** What is compared of an entry. */
function comparable(entry: DatasetEntry | undefined) {
  if (entry === undefined) return undefined;
  const { value, values, number, elements } = entry;
  return { value, values: values?.toSorted(), number, elements };
}

function show(
  { terminal }: Session,
  copies: DatasetWhere['copies'],
  { differences, more }: { differences: Difference[]; more: boolean },
): void {
  terminal.table(
    ['SITE', 'KEYS', 'DIGEST', 'UNSENT', 'NOTE'],
    copies.map(({ site, state, problem }) => [
      site,
      state === undefined ? '?' : String(state.keys),
      state?.digest ?? '?',
      state === undefined ? '?' : String(state.unsent),
      plain(problem ?? state?.trouble ?? ''),
    ]),
  );
  if (differences.length === 0) return;
  terminal.say();
  terminal.table(
    ['KEY', 'SITE', 'HOLDS'],
    differences.flatMap(({ key, holds }) =>
      Object.entries(holds).map(([site, entry], i) => [
        i === 0 ? plain(key) : '',
        site,
        entry === null ? 'nothing' : textOf(entry),
      ]),
    ),
  );
  if (more) terminal.note(`more keys differ than the ${SHOWN} shown`);
}

function failed(
  dataset: Dataset,
  text: string,
  code: typeof EXIT.failed | typeof EXIT.timedOut,
): CommandFailed {
  return new CommandFailed(code, text, `skerry data lag ${keyOf(dataset)}`);
}
