import { ProblemError } from '@skerry/client';
import type { Dataset, DatasetEntry, DatasetLag } from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { keyOf } from '../names.js';
import { plain } from '../output/terminal.js';
import { ask, find, refOf, type AtSite } from './datasets.js';
import type { Session } from './session.js';

const PAGE = 500;

/** `skerry data lag DATASET`: how far each copy is behind, in records and in time. */
export async function showLag(session: Session, name: string): Promise<void> {
  const { client, terminal } = session;
  const dataset = await find(session, name);
  const lag = await terminal.during('asking the sites', client.datasetLag(dataset.project, dataset.name));
  terminal.result(lag, () => {
    const behind = lag.sites.filter((s) => s.records !== 0 || s.unsent !== 0);
    terminal.say(
      behind.length === 0
        ? `${keyOf(dataset)}: every copy has everything`
        : `${keyOf(dataset)}: ${behind.length} of ${lag.sites.length} copies not in step`,
    );
    terminal.table(['SITE', 'LACKS', 'FOR', 'UNSENT', 'FOR', 'NOTE'], lag.sites.map(lagRow));
  });
  terminal.next(`skerry data verify ${keyOf(dataset)}`, `skerry data where ${keyOf(dataset)}`);
}

/**
 * `skerry data conflicts DATASET`: keys that hold several values, since sites wrote without knowing of each other; of a home that
 * moves what was written at one that was cut off while another had begun, at every site, also where the copy was given up since.
 */
export async function listConflicts(session: Session, name: string, at: AtSite): Promise<void> {
  const { terminal } = session;
  const dataset = await find(session, name);
  const moves = typeof dataset.spec.home === 'object';
  if (dataset.spec.conflicts !== 'keep-both' && !moves)
    throw new CommandFailed(
      EXIT.usage,
      `${keyOf(dataset)} has no conflicts to resolve: its rule is ${dataset.spec.conflicts}`,
      'only datasets with conflicts: keep-both hold several values, and those whose home moves what was cut off',
    );
  const sites =
    moves && at.at === undefined ? await sitesOf(session, dataset) : { answering: [at], others: [] };
  const found: DatasetEntry[] = [];
  for (const site of sites.answering) found.push(...(await conflictsAt(session, dataset, site)));
  const left = sites.others.map(async (site) => await leftAt(session, dataset, site));
  found.push(...(await Promise.all(left)).flat());
  for (const entry of found) if (terminal.json) terminal.result(entry, () => undefined);
  terminal.table(['KEY', 'SITE', 'WRITTEN', 'VALUE'], found.flatMap(conflictRows));
  const [first] = found;
  if (first === undefined) terminal.note('no conflicts');
  const seen = moves ? '' : ` --seen ${first?.context ?? ''}`;
  const resolve = `skerry data put ${keyOf(dataset)} ${plain(first?.key ?? 'KEY')} VALUE${seen}`;
  terminal.next(...(first === undefined ? [] : [resolve]), `skerry data ls ${keyOf(dataset)}`);
}

async function conflictsAt(session: Session, dataset: Dataset, at: AtSite): Promise<DatasetEntry[]> {
  const found: DatasetEntry[] = [];
  let after: string | undefined;
  do {
    const from = after === undefined ? {} : { after };
    const page = { verb: 'list' as const, ...refOf(dataset), ...from, limit: PAGE, conflicting: true };
    const answer = await ask(session, page, at);
    if (!('entries' in answer)) throw new CommandFailed(EXIT.failed, 'the site answered something else');
    // An agent of before lists every key.
    found.push(
      ...answer.entries.filter(({ values = [], siblings }) => siblings !== undefined || values.length > 1),
    );
    after = answer.next;
  } while (after !== undefined && !session.signal.aborted);
  return found;
}

/** Sites that answer for their copy, of the others with one that is said; and those that may have given theirs up. */
async function sitesOf({ client, terminal }: Session, dataset: Dataset) {
  const asked = client.datasetWhere(dataset.project, dataset.name);
  const { copies, without } = await terminal.during('asking the sites', asked);
  for (const { site, state, problem } of copies)
    if (state === undefined) terminal.note(`${site} is not looked at: ${plain(problem ?? 'no answer')}`);
  const answering = copies.filter(({ state }) => state !== undefined);
  const others = without.filter(({ why }) => why.startsWith('copies:'));
  return { answering: answering.map(({ site }) => ({ at: site })), others: others.map(({ site }) => site) };
}

/** What is left at a site without a copy; most have never had one. */
async function leftAt(session: Session, dataset: Dataset, site: string): Promise<DatasetEntry[]> {
  try {
    return await conflictsAt(session, dataset, { at: site });
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const { code, title } = error.problem;
    if (code !== 'not-found') session.terminal.note(`${site} is not looked at: ${plain(title)}`);
    return [];
  }
}

function lagRow({ site, records, behindMs, unsent, unsentMs, problem }: DatasetLag['sites'][number]) {
  const known = (value: number | undefined, text: (n: number) => string) =>
    value === undefined ? '?' : value === 0 ? '-' : text(value);
  return [
    site,
    known(records, (n) => `${n} records`),
    known(behindMs, ago),
    known(unsent, (n) => `${n} writes`),
    known(unsentMs, ago),
    plain(problem ?? ''),
  ];
}

function conflictRows({ key, values = [], siblings }: DatasetEntry): string[][] {
  const rows = siblings ?? values.map((value) => ({ site: '?', at: '-', value }));
  return rows.map(({ site, at, value }, i) => [i === 0 ? plain(key) : '', site, at, plain(value)]);
}

function ago(ms: number): string {
  return ms < 1_000
    ? `${ms} ms`
    : ms < 120_000
      ? `${Math.round(ms / 1_000)} s`
      : `${Math.round(ms / 60_000)} min`;
}
