import type { Dataset, DatasetAnswer, DatasetEntry, DatasetOperation, DatasetWhere } from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { keyOf } from '../names.js';
import { plain } from '../output/terminal.js';
import { areaOf, elsewhereText, staysIn } from './dataset-areas.js';
import { homeText } from './dataset-homes.js';
import type { Session } from './session.js';

/** At which site. */
export interface AtSite {
  at?: string;
}

/** `skerry data ls`: every dataset; with one, its keys. */
export async function listDatasets(
  session: Session,
  name: string | undefined,
  { at, prefix }: AtSite & { prefix?: string },
): Promise<void> {
  const { client, terminal, project } = session;
  if (name !== undefined) return await listKeys(session, await find(session, name), { at, prefix });
  const all = (await terminal.during('reading', client.datasets())).filter(
    (d) => project === undefined || d.project === project,
  );
  if (terminal.json) for (const dataset of all) terminal.result(dataset, () => undefined);
  terminal.table(
    ['DATASET', 'TYPE', 'CONFLICTS', 'STAYS IN', 'COPIES', 'GENERATION'],
    all.map((d) => [
      keyOf(d),
      typeText(d),
      conflictsText(d),
      staysIn(d),
      d.spec.copies.at,
      String(d.generation),
    ]),
  );
  if (all.length === 0) terminal.note('no datasets');
  const [first] = all;
  if (first === undefined) terminal.next('skerry apply -f dataset.yaml');
  else terminal.next(`skerry data where ${keyOf(first)}`, readText(first));
}

/** `skerry data get DATASET KEY`. */
export async function getKey(session: Session, name: string, key: string, at: AtSite): Promise<void> {
  const dataset = await find(session, name);
  const entry = entryIn(await ask(session, { verb: 'get', ...refOf(dataset), key }, at));
  session.terminal.result(entry, () => session.terminal.say(textOf(entry)));
  session.terminal.next(`skerry data where ${keyOf(dataset)}`);
}

export interface PutOptions extends AtSite {
  count?: number;
  add?: string[];
  remove?: string[];
  seen?: string;
  delete?: boolean;
}

/** `skerry data put DATASET KEY [VALUE]`: a value; or counts, or changes a set. */
export async function putKey(
  session: Session,
  [name, key, value]: readonly [string, string, string | undefined],
  options: PutOptions,
): Promise<void> {
  const dataset = await find(session, name);
  const operation = writeOf({ ...refOf(dataset), key }, value, options);
  const entry = entryIn(await ask(session, operation, options));
  session.terminal.result(entry, () => session.terminal.say(textOf(entry)));
  session.terminal.next(`skerry data get ${keyOf(dataset)} ${key}`, `skerry data where ${keyOf(dataset)}`);
}

/** `skerry data watch DATASET`: changes as they come to one site, until Ctrl-C. */
export async function watchDataset(session: Session, name: string, at: AtSite): Promise<void> {
  const { terminal, signal } = session;
  const dataset = await find(session, name);
  let since: string | undefined;
  while (!signal.aborted) {
    const position = since === undefined ? { waitMs: 0 } : { since, waitMs: WATCH_MS };
    const answer = await ask(session, { verb: 'watch', ...refOf(dataset), ...position }, at).catch(
      (error: unknown) => {
        if (signal.aborted) return undefined;
        throw error;
      },
    );
    if (answer === undefined || !('changes' in answer)) return;
    if (answer.lost === true && since !== undefined)
      terminal.note('more changed than is kept: some are not shown');
    for (const { key, entry } of answer.changes)
      terminal.result({ key, ...(entry === undefined ? { deleted: true } : { entry }) }, () =>
        terminal.say(
          `${plain(key)}\t${entry === undefined ? terminal.colours.dim('deleted') : textOf(entry)}`,
        ),
      );
    since = answer.since;
  }
}

/** `skerry data where DATASET`: every copy, and the rule that allows it. */
export async function whereIs(session: Session, name: string): Promise<void> {
  const { client, terminal } = session;
  const dataset = await find(session, name);
  const where = await terminal.during('asking the sites', client.datasetWhere(dataset.project, dataset.name));
  terminal.result(where, () => showWhere(where, session));
  const watch = `skerry data ${isLog(dataset) ? 'append' : 'watch'} ${keyOf(dataset)}`;
  terminal.next(readText(dataset), watch);
}

/** `skerry data rm DATASET`: it goes with all its records. */
export async function removeDataset(session: Session, name: string): Promise<void> {
  const { client, terminal } = session;
  const dataset = await find(session, name);
  const done = await terminal.during(
    'waiting for admission',
    client.removeDataset(dataset.project, dataset.name),
  );
  terminal.result(done, () => {
    terminal.say(`${keyOf(dataset)} is removed, with its records at every site`);
    terminal.say(terminal.colours.dim(`trace ${done.traceId}`));
  });
  terminal.next('skerry data ls');
}

const WATCH_MS = 5_000;

async function listKeys(
  session: Session,
  dataset: Dataset,
  { at, prefix }: { at: string | undefined; prefix: string | undefined },
): Promise<void> {
  const { terminal } = session;
  const rows: string[][] = [];
  let after: string | undefined;
  do {
    const page = { ...(prefix === undefined ? {} : { prefix }), ...(after === undefined ? {} : { after }) };
    const operation = { verb: 'list' as const, ...refOf(dataset), ...page, limit: PAGE };
    const answer = await ask(session, operation, at === undefined ? {} : { at });
    if (!('entries' in answer)) throw new CommandFailed(EXIT.failed, 'the site answered something else');
    for (const entry of answer.entries) {
      if (terminal.json) terminal.result(entry, () => undefined);
      else rows.push([plain(entry.key), textOf(entry), entry.at ?? '-']);
    }
    after = answer.next;
  } while (after !== undefined && !session.signal.aborted);
  terminal.table(['KEY', 'VALUE', 'WRITTEN'], rows);
  if (rows.length === 0) terminal.note('no keys');
  terminal.next(`skerry data where ${keyOf(dataset)}`, `skerry data watch ${keyOf(dataset)}`);
}

const PAGE = 500;

function showWhere({ dataset, rule, copies, without, homeNow }: DatasetWhere, { terminal }: Session): void {
  const kind = isLog(dataset) ? typeText(dataset) : dataset.spec.conflicts;
  terminal.say(`${keyOf(dataset)} (${kind}): ${rule}`);
  if (dataset.spec.home !== undefined)
    terminal.say(`home: ${homeText({ ...dataset, ...(homeNow && { homeNow }) })}`);
  // A log has no keys, and no two sites need keep as much of it.
  const holds = isLog(dataset) ? ['WRITTEN HERE'] : ['KEYS', 'DIGEST'];
  terminal.table(
    ['SITE', 'IN', ...holds, 'UNSENT', 'SINCE', 'TROUBLE'],
    copies.map(({ site, jurisdictions, state, problem }) => [
      site,
      [...jurisdictions, ...areaNote(dataset, jurisdictions)].join(', ') || '-',
      state === undefined ? '?' : String(state.keys),
      ...(isLog(dataset) ? [] : [state?.digest ?? '?']),
      state === undefined ? '?' : String(state.unsent),
      state?.since ?? '-',
      plain(problem ?? state?.trouble ?? ''),
    ]),
  );
  if (without.length === 0) return;
  terminal.say();
  terminal.table(
    ['NOT AT', 'WHY'],
    without.map(({ site, why }) => [site, plain(why)]),
  );
}

const isLog = ({ spec }: Dataset): boolean => spec.type === 'log';

function typeText({ spec }: Dataset): string {
  return spec.log === undefined ? spec.type : `${spec.type}, ${spec.log.flow}`;
}

/** Entries of a log are never in conflict. */
function conflictsText(dataset: Dataset): string {
  const { home, conflicts } = dataset.spec;
  if (isLog(dataset)) return '-';
  return home === undefined ? conflicts : `${conflicts} (${homeText(dataset)})`;
}

/** The command that shows what it holds. */
function readText(dataset: Dataset): string {
  return `skerry data ${isLog(dataset) ? 'tail' : 'ls'} ${keyOf(dataset)}`;
}

function areaNote(dataset: Dataset, jurisdictions: string[]): string[] {
  const area = areaOf(dataset, { jurisdictions });
  return area === undefined ? [] : [`holds what is written in ${area}`];
}

/** The dataset that a text names: `project/name`, or a name used once. */
export async function find({ client, terminal, project }: Session, text: string): Promise<Dataset> {
  const all = await terminal.during('reading', client.datasets());
  const found = all.filter(
    (d) => keyOf(d) === text || (d.name === text && (project === undefined || d.project === project)),
  );
  const [one, ...more] = found;
  if (one === undefined) throw new CommandFailed(EXIT.notFound, `no dataset ${text}`, 'skerry data ls');
  if (more.length === 0) return one;
  throw new CommandFailed(
    EXIT.usage,
    `${text} may be ${found.map(keyOf).join(' or ')}: write its project too`,
  );
}

/** Asks a site with a copy: the named one, or one that will do. */
export async function ask(
  { client, terminal, signal }: Session,
  operation: DatasetOperation,
  { at }: AtSite,
): Promise<DatasetAnswer> {
  const asked = client.askDataset(operation, { signal, ...(at === undefined ? {} : { site: at }) });
  return operation.verb === 'watch' ? await asked : await terminal.during('asking the site', asked);
}

function writeOf(
  ref: { project: string; name: string; key: string },
  value: string | undefined,
  { count, add, remove, seen: context, delete: gone }: PutOptions,
): DatasetOperation {
  const seen = context === undefined ? {} : { context };
  if (count !== undefined) return { verb: 'count', ...ref, by: count };
  if (add !== undefined || remove !== undefined)
    return {
      verb: 'change',
      ...ref,
      ...(add === undefined ? {} : { add }),
      ...(remove === undefined ? {} : { remove }),
    };
  if (gone === true) return { verb: 'delete', ...ref, ...seen };
  if (value !== undefined) return { verb: 'put', ...ref, value, ...seen };
  throw new CommandFailed(EXIT.usage, 'what shall be written? a value, --count, --add, --remove or --delete');
}

function entryIn(answer: DatasetAnswer): DatasetEntry {
  if ('entry' in answer) return answer.entry;
  throw new CommandFailed(EXIT.failed, 'the site answered something else');
}

/** What a key holds, on one line; behind it what other areas let be known of it. */
export function textOf(entry: DatasetEntry): string {
  return [ownText(entry), ...elsewhereText(entry)].join('  ');
}

function ownText({ value, values, number, elements }: DatasetEntry): string {
  if (value !== undefined) return plain(value);
  if (number !== undefined) return String(number);
  if (elements !== undefined) return plain(elements.join(', '));
  if (values !== undefined) return plain(values.join(values.length > 1 ? ' | ' : ''));
  return '-';
}

/** What names a dataset in a question. */
export const refOf = ({ project, name }: Dataset) => ({ project, name });
