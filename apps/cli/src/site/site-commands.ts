import type { SiteChangeAnswer, SiteChangeVerb, SiteStatusPage, SiteWorkload } from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { showReport } from '../output/report-lines.js';
import { plain, type Terminal } from '../output/terminal.js';
import { readSources } from '../sources.js';
import { readDocuments } from './read-documents.js';
import type { SiteClient } from './site-client.js';

/** What every command at a site works with. */
export interface SiteSession {
  client: SiteClient;
  terminal: Terminal;
  /** How the site was named, for what to try next. */
  here: string;
  project: string | undefined;
  stdin: NodeJS.ReadStream;
  signal: AbortSignal;
}

/** `skerry --site HERE status`. */
export async function siteStatus({ client, terminal, here, project }: SiteSession): Promise<void> {
  const status = await terminal.during('asking the site', client.status(project));
  terminal.result(status, () => drawStatus(status, terminal));
  const [first] = status.workloads;
  terminal.next(
    first === undefined ? `skerry --site ${here} report` : `skerry --site ${here} logs ${keyOf(first)}`,
  );
}

/** `skerry --site HERE logs APP`. */
export async function siteLogs(
  { client, terminal, project, here, signal }: SiteSession,
  app: string,
  options: { tail: number; follow?: boolean },
): Promise<void> {
  const ref = await findHere(client, app, project);
  let shown = 0;
  await client.logs({ ...ref, tail: options.tail, follow: options.follow ?? false, signal }, (lines) => {
    for (const line of lines) {
      shown += 1;
      const from = terminal.colours.dim(`${line.site}/${line.replica.split('.').at(-1) ?? ''}`);
      terminal.result(line, () => terminal.say(`${from} ${plain(line.line)}`));
    }
  });
  if (options.follow === true) return;
  if (shown === 0) terminal.note('no lines yet');
  terminal.next(`skerry --site ${here} logs ${ref.project}/${ref.name} -f`);
}

/** `skerry --site HERE stop|start APP`. */
export async function siteChange(session: SiteSession, verb: 'stop' | 'start', app: string): Promise<void> {
  const { client, terminal, project } = session;
  const ref = await findHere(client, app, project);
  terminal.note(whatItMeans(verb));
  const answer = await terminal.during('asking the site', client.change({ verb, ...ref }));
  showChange(session, verb, answer);
}

/** `skerry --site HERE apply -f`. */
export async function siteApply(session: SiteSession, files: readonly string[]): Promise<void> {
  const { client, terminal, stdin } = session;
  const { sources = [] } = await readSources(files, stdin);
  const documents = readDocuments(sources);
  terminal.note(whatItMeans('apply'));
  const answer = await terminal.during('asking the site', client.change({ verb: 'apply', documents }));
  showChange(session, 'apply', answer);
}

/** `skerry --site HERE report`. */
export async function siteReportHere({ client, terminal, here }: SiteSession): Promise<void> {
  const report = await terminal.during('asking the site', client.report());
  terminal.result(report, () => showReport(report, terminal));
  terminal.next(`skerry --site ${here} status`);
}

function showChange({ terminal, here }: SiteSession, verb: SiteChangeVerb, answer: SiteChangeAnswer): void {
  terminal.result(answer, () => {
    terminal.table(
      ['WORKLOAD', 'HERE'],
      answer.changes.map(({ project, name, change }) => [`${project}/${name}`, change]),
    );
    if (answer.changes.some(({ change }) => change === 'changed')) {
      terminal.say(whatFollows(verb));
      terminal.say(terminal.colours.dim(`request ${answer.id}`));
    }
  });
  terminal.next(`skerry --site ${here} status`, `skerry --site ${here} report`);
}

/** How far a change reaches. */
function whatItMeans(verb: SiteChangeVerb): string {
  switch (verb) {
    case 'stop':
    case 'start':
      return `${verb} counts at this site alone when the workload runs at other sites too, else for the whole cloud`;
    case 'apply':
      return 'apply counts at this site at once, and for the whole cloud when the hub has accepted it';
  }
}

function whatFollows(verb: SiteChangeVerb): string {
  const sent =
    'it counts here now and is sent to the hub when that is heard; what became of it is in the report';
  switch (verb) {
    case 'stop':
      return `${sent}. Of a workload that runs at other sites too it stays here alone, until it is started here or changed at the hub`;
    case 'start':
      return `${sent}. Of a workload that runs at other sites too it stays here alone`;
    case 'apply':
      return `${sent}. Accepted, it is as if it was applied at the hub: for all sites, and placed where the rules say`;
  }
}

function drawStatus(status: SiteStatusPage, terminal: Terminal): void {
  const { bold, yellow, green } = terminal.colours;
  const silence = `${(status.hubSilentMs / 1_000).toFixed(0)} s ago`;
  const hub = status.cutOff
    ? yellow(`cut off: the hub was last heard ${silence}`)
    : green(`the hub was heard ${silence}`);
  terminal.say(`${bold(status.site)} (node ${status.node}): ${hub}`);
  const { journal } = status;
  terminal.say(
    `${status.outboxMessages} reports wait for the hub; journal ${journal.entries} entries, ${percent(journal.bytes, journal.limitBytes)} full${lostOf(journal)}`,
  );
  terminal.say(
    status.accessUntil === undefined
      ? 'who may act here was not delivered yet'
      : `who may act here is known until ${status.accessUntil}`,
  );
  for (const trouble of status.troubles) terminal.say(yellow(plain(trouble)));
  terminal.say();
  if (status.workloads.length === 0) {
    terminal.say('no workloads');
    return;
  }
  terminal.table(['WORKLOAD', 'STATE', 'RUNNING', 'RESTARTS', 'CHANGED HERE'], status.workloads.map(rowOf));
}

function rowOf({ project, name, state, wanted, replicas, override, refusal }: SiteWorkload): string[] {
  const running = replicas.filter(({ phase }) => phase === 'running').length;
  const restarts = replicas.reduce((sum, r) => sum + r.restarts, 0);
  const said = refusal === undefined ? state : `refused: ${refusal.check}`;
  const changed = override === undefined ? '-' : `${override.verb} by ${override.by}`;
  return [`${project}/${name}`, plain(said), `${running}/${wanted}`, String(restarts), plain(changed)];
}

/** The workload that is meant, among those of the site: `project/name` or `name`, or a unique beginning. */
async function findHere(client: SiteClient, app: string, project: string | undefined) {
  const { workloads } = await client.status(project);
  const fits = (test: (key: string, name: string) => boolean) =>
    workloads.filter((w) => test(keyOf(w), w.name));
  const exact = fits((key, name) => key === app || name === app);
  const found = exact.length > 0 ? exact : fits((key, name) => key.startsWith(app) || name.startsWith(app));
  const [first] = found;
  if (first === undefined)
    throw new CommandFailed(
      EXIT.notFound,
      `nothing called ${app} is wanted at this site`,
      undefined,
      workloads.slice(0, 10).map(keyOf),
    );
  if (found.length > 1)
    throw new CommandFailed(
      EXIT.usage,
      `${app} may be any of these`,
      'write more of it',
      found.slice(0, 10).map(keyOf),
    );
  return { project: first.project, name: first.name };
}

const keyOf = ({ project, name }: SiteWorkload) => `${project}/${name}`;
const percent = (part: number, whole: number) => `${Math.round((100 * part) / whole)} %`;

function lostOf({ lost = 0 }: SiteStatusPage['journal']): string {
  return lost === 0 ? '' : `, ${lost} entries lost`;
}
