import { Command, InvalidArgumentError } from 'commander';
import {
  siteApply,
  siteChange,
  siteLogs,
  siteReportHere,
  siteStatus,
  type SiteSession,
} from './site-commands.js';

const DEFAULT_TAIL = 100;

/** Runs one command at a site. */
export type ActAtSite = (work: (session: SiteSession) => Promise<void>) => Promise<void>;

export interface SiteGlobals {
  json?: boolean;
  context?: string;
  project?: string;
}

const NOTE = `
HERE is the folder of a site on this machine, or its name. It is asked at its own server, with or without the hub, by what the
hub delivered last of who may do what: for 24 hours after it was heard. A change counts at the site at once and is sent to the
hub when that is heard; what became of it is in the report. There it is a command for the whole cloud, as if it had been
given at the hub, but for one thing: a stop or start of a workload that runs at other sites too stays this site's own, until it
is started here again or changed at the hub. The hub refuses what would overwrite a change that the site did not know of.`;

/** What can be asked of a site at its own server: what \`skerry --site HERE --help\` shows. */
export function makeSiteProgram(act: (globals: SiteGlobals) => ActAtSite): Command {
  const program = new Command('skerry --site HERE')
    .description('Ask a site at its own server.')
    .option('--json', 'results as JSON, one value a line')
    .option('--context <file>', 'context file with the token (default: the nearest .skerry/context.json)')
    .option('--project <name>', 'only this project')
    .addHelpText('after', NOTE)
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true });
  const run: ActAtSite = (work) => act(program.opts())(work);
  program
    .command('status')
    .description('what is wanted and what runs here')
    .action(() => run(async (s) => await siteStatus(s)));
  program
    .command('logs <app>')
    .description('lines of its replicas here')
    .option('-f, --follow', 'go on with new lines')
    .option('--tail <lines>', 'newest lines to begin with', lines, DEFAULT_TAIL)
    .action((app: string, o: { follow?: boolean; tail: number }) =>
      run(async (s) => await siteLogs(s, app, o)),
    );
  for (const verb of ['stop', 'start'] as const) {
    program
      .command(`${verb} <app>`)
      .description(
        verb === 'stop'
          ? 'run nothing of it here; of what runs at no other site: of the whole cloud'
          : 'run it here again after stop',
      )
      .action((app: string) => run(async (s) => await siteChange(s, verb, app)));
  }
  program
    .command('apply')
    .description('run it here so: all documents or none; accepted by the hub it is so for all sites')
    .requiredOption(
      '-f, --file <path>',
      'a file, a folder, or - for standard input; may be repeated',
      several,
      [],
    )
    .action((o: { file: string[] }) => run(async (s) => await siteApply(s, o.file)));
  program
    .command('report')
    .description('what happened here, above all while the hub was away')
    .action(() => run(async (s) => await siteReportHere(s)));
  return program;
}

function several(text: string, before: string[]): string[] {
  return [...before, text];
}

function lines(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 10_000) return value;
  throw new InvalidArgumentError('a whole number from 0 to 10000 is wanted.');
}
