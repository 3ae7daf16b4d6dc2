import { LIMITS, type QuotaLimits } from '@skerry/contracts';
import { Command, Option } from 'commander';
import type { AdviseOptions } from './commands/advise.js';
import { apply } from './commands/apply.js';
import { applyPlan } from './commands/apply-plan.js';
import { change } from './commands/change.js';
import { creds } from './commands/creds.js';
import { dropDeadLetter, listDeadLetters, retryDeadLetter, showDeadLetter } from './commands/dead-letters.js';
import { doctor } from './commands/doctor.js';
import { events } from './commands/events.js';
import { get } from './commands/get.js';
import { logs } from './commands/logs.js';
import { plan, planRebalance, type PlanOptions } from './commands/plan.js';
import { listQuotas, removeQuota, setQuota } from './commands/quotas.js';
import { rebalance } from './commands/rebalance.js';
import type { Session } from './commands/session.js';
import { status, watchStatus } from './commands/status.js';
import { why, type WhyOptions } from './commands/why.js';
import { addBackupCommands } from './backup-commands.js';
import { addDatasetCommands } from './dataset-commands.js';
import { CommandFailed, EXIT } from './exit-codes.js';
import { amount, moment, percent, several, wholeNumber } from './option-values.js';
import type { Terminal } from './output/terminal.js';
import { addSiteCommands } from './site-commands.js';
import { upgrade } from './commands/upgrade.js';
import { VERSION } from './version.js';

/** Options before or after any command. */
export interface GlobalOptions {
  json?: boolean;
  context?: string;
  url?: string;
  project?: string;
}

/** Runs one command's work; its result is the exit code, 0 when it has none. */
export type Act = (work: (session: Session) => Promise<number | void> | number | void) => Promise<void>;

/** Runs a command that needs no cloud. */
export type ActHere = (work: (terminal: Terminal) => Promise<number | void> | number | void) => Promise<void>;

const EXIT_CODES = `
Exit codes:
  0 done   1 refused or failed   2 called wrongly   3 not found   4 no answer from the api
  5 not logged in   124 waited too long   130 interrupted
  (plan, rebalance --plan: 0 nothing to do, 1 changes, 2 cannot)

At a site, with or without the hub: skerry --site HERE status|logs|stop|start|apply|report

An APP is written project/name or name; a unique beginning of it will do.`;

const DEFAULT_WAIT_S = 60;
const DEFAULT_TAIL = 100;
const DEFAULT_MOVES_PERCENT = 5;

/** Every command with its options: what \`skerry --help\` shows. */
export function makeProgram(
  act: (globals: GlobalOptions) => Act,
  actHere: (globals: GlobalOptions) => ActHere,
): Command {
  const program = new Command('skerry')
    .description('One cloud out of every place you run.')
    .option('--json', 'results as JSON, one value a line')
    .option(
      '--context <file>',
      'context file: address and token of the api (default: the nearest .skerry/context.json)',
    )
    .option('--url <url>', 'address of the api, in place of the one in the context')
    .option('--project <name>', 'only this project')
    .version(VERSION, '--version')
    .addHelpText('after', EXIT_CODES)
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false, showGlobalOptions: true });
  const run: Act = (work) => act(program.opts())(work);
  addWorkloadCommands(program, run);
  addChangeCommands(program, run);
  addSiteCommands(program, run);
  addDatasetCommands(program, run);
  addQuotaCommands(program, run);
  addAdvise(program, (work) => actHere(program.opts())(work));
  addOperatorCommands(program, run);
  addBackupCommands(program, (work) => actHere(program.opts())(work));
  return program;
}

function addWorkloadCommands(program: Command, run: Act): void {
  program
    .command('status')
    .description('what is wanted and what runs')
    .option('-w, --watch', 'keep it up to date')
    .action((o: { watch?: boolean }) => run((s) => (o.watch ? watchStatus(s) : status(s))));
  program
    .command('get [app]')
    .description('one workload whole, or all in short')
    .action((app?: string) => run((s) => get(s, app)));
  program
    .command('why <app>')
    .description('why it is placed as it is')
    .option('--not-on <site>', 'everything that speaks for and against this site')
    .option('--revision <n>', 'an earlier decision', wholeNumber(1, 1e12))
    .addOption(
      new Option('--at <time>', 'the decision that counted then: 2026-11-22T04:52:00Z, or 15m, 2h, 3d ago')
        .argParser(moment)
        .conflicts('revision'),
    )
    .action((app: string, o: WhyOptions) => run((s) => why(s, app, o)));
  program
    .command('logs <app>')
    .description('its lines, merged over sites')
    .option('-f, --follow', 'go on with new lines')
    .option('--site <site>', 'only this site')
    .option('--tail <lines>', 'newest lines to begin with', wholeNumber(0, 10_000), DEFAULT_TAIL)
    .action((app: string, o: { follow?: boolean; site?: string; tail: number }) =>
      run((s) => logs(s, app, { ...o, follow: o.follow ?? false })),
    );
}

function addChangeCommands(program: Command, run: Act): void {
  const files = () =>
    new Option('-f, --file <path>', 'a file, a folder, or - for standard input; may be repeated').argParser(
      several,
    );
  program
    .command('apply')
    .description('make it so: all documents or none')
    .addOption(files())
    .option('--plan <id>', 'what `skerry plan` or `skerry rebalance --plan` showed, if it would still be so')
    .option(
      '--wait [seconds]',
      `wait until everything runs (default ${DEFAULT_WAIT_S})`,
      wholeNumber(1, 86_400),
    )
    .option(
      '--if-generation <n>',
      'only when the workload is at this generation; 0: when there is none',
      wholeNumber(0, 1e12),
    )
    .action((o: ApplyFlags) => run((s) => applyEither(s, o)));
  program
    .command('plan')
    .description('what would be placed where and why; commits nothing')
    .addOption(files())
    .option('--without-site <site>', 'if that site were gone')
    .option('--drain <site>', 'if that site took nothing and its work moved away')
    .action((o: PlanOptions) => run((s) => plan(s, o)));
  program
    .command('rebalance')
    .description('move replicas where that gains more than it costs')
    .option('--plan', 'only show the moves')
    .option('--max-moves <percent>', 'of all replicas at most this share', percent, DEFAULT_MOVES_PERCENT)
    .action((o: { plan?: boolean; maxMoves: number }) =>
      run((s) => (o.plan ? planRebalance(s, o.maxMoves) : rebalance(s, o.maxMoves))),
    );
  program
    .command('scale <app> <replicas>')
    .description('change how many replicas are wanted')
    .action((app: string, text: string) =>
      run((s) => change(s, app, { verb: 'scale', replicas: wholeNumber(0, 1e6)(text) })),
    );
  program
    .command('stop <app>')
    .description('run nothing of it; its spec stays')
    .action((app: string) => run((s) => change(s, app, { verb: 'stop' })));
  program
    .command('start <app>')
    .description('run it again after stop')
    .action((app: string) => run((s) => change(s, app, { verb: 'start' })));
  program
    .command('rm <app>')
    .description('remove it')
    .action((app: string) => run((s) => change(s, app, { verb: 'rm' })));
}

interface ApplyFlags {
  file?: string[];
  plan?: string;
  wait?: number | true;
  ifGeneration?: number;
}

function applyEither(session: Session, { file, plan: id, wait, ifGeneration }: ApplyFlags) {
  const seconds = wait === true ? DEFAULT_WAIT_S : wait;
  if ((file === undefined) === (id === undefined))
    throw new CommandFailed(EXIT.usage, 'one of --file and --plan is wanted', 'skerry apply -f web.yaml');
  if (id !== undefined && ifGeneration !== undefined)
    throw new CommandFailed(EXIT.usage, '--if-generation goes with --file: a plan knows what it was made of');
  if (id !== undefined) return applyPlan(session, id, seconds);
  return apply(session, {
    file: file ?? [],
    ...(seconds === undefined ? {} : { wait: seconds }),
    ...(ifGeneration === undefined ? {} : { ifGeneration }),
  });
}

interface QuotaFlags extends Omit<QuotaLimits, 'memoryMiB'> {
  memoryMib?: number;
}

function addQuotaCommands(program: Command, run: Act): void {
  const quota = program.command('quota').description('what projects may have');
  quota
    .command('ls')
    .description('every project: what it uses of what it may have')
    .action(() => run((s) => listQuotas(s)));
  quota
    .command('set <project>')
    .description('the whole quota: a limit that is not given is none')
    .option('--workloads <n>', 'workloads', wholeNumber(0, 1e12))
    .option('--replicas <n>', 'wanted replicas of what is not stopped', wholeNumber(0, 1e12))
    .option('--cpu-millicores <n>', 'what they ask for together', wholeNumber(0, 1e12))
    .option('--memory-mib <n>', 'what they ask for together', wholeNumber(0, 1e12))
    .option('--gpus <n>', 'what they ask for together', wholeNumber(0, 1e12))
    .option('--budget-per-month <amount>', 'what all that is placed may cost; replicas beyond go', amount)
    .action((name: string, { memoryMib, ...rest }: QuotaFlags) =>
      run((s) =>
        setQuota(s, name, { ...rest, ...(memoryMib === undefined ? {} : { memoryMiB: memoryMib }) }),
      ),
    );
  quota
    .command('rm <project>')
    .description('no limits')
    .action((name: string) => run((s) => removeQuota(s, name)));
}

function addAdvise(program: Command, run: ActHere): void {
  program
    .command('advise')
    .description('which sites to open for these users; decided here, without a cloud')
    .requiredOption('--sites-from <file>', 'csv of the sites to choose from')
    .requiredOption('--users <file>', 'csv of where users are')
    .requiredOption(
      '--max-sites <n>',
      'open at most so many; fewer when a further one costs more than it gains',
      wholeNumber(1, LIMITS.adviseMaxSites),
    )
    .option('--rtt <file>', 'csv of measured round trips: from,to,rtt_ms between sites and users, by name')
    .option('--allow <jurisdiction>', 'only sites under this law; may be repeated', several, [])
    .option('--deny <jurisdiction>', 'no site under this law; may be repeated', several, [])
    .option('--latency-weight <n>', 'what a millisecond of the mean user is worth a month', amount, 1)
    .option('--price-weight <n>', 'what a unit of cost a month counts', amount, 1)
    .option('--cores <n>', 'cores at each site, for cpuCoreMonth', amount, 1)
    .option('--memory-gib <n>', 'memory at each site, for memoryGiBMonth', amount, 1)
    .option('--egress-gib <n>', 'sent to all users a month, for egressGiB', amount, 0)
    .addHelpText('after', TABLES)
    .action((o: AdviseOptions) =>
      // Nothing of it is loaded by the other commands.
      run(async (terminal) => (await import('./commands/advise.js')).advise(terminal, o)),
    );
}

const TABLES = `
Tables are comma-separated with a first line that names the columns; case and "_" in the names do not count.
  sites  id or name; lat and lon, or city; optional country, jurisdictions (eu|eea),
         pricePerMonth of the site, or cpuCoreMonth, memoryGiBMonth; egressGiB
  users  lat and lon, or city (and country), or country; weight or population; optional name,
         which alone will do when it is a site's
  rtt    from,to,rtt_ms: directed; of both directions the mean counts; what is not measured is estimated`;

function addOperatorCommands(program: Command, run: Act): void {
  program
    .command('events [filter]')
    .description('what happened; filter: workload.placed, site, shop/web, eu-de …')
    .option('-f, --follow', 'go on with what happens')
    .option('--tail <n>', 'newest events to begin with', wholeNumber(0, 5_000))
    .action((filter: string | undefined, o: { follow?: boolean; tail?: number }) =>
      run((s) => events(s, filter, { ...o, follow: o.follow ?? false })),
    );
  const dlq = program.command('dlq').description('messages that could not be handled');
  dlq
    .command('ls')
    .description('all dead letters')
    .action(() => run((s) => listDeadLetters(s)));
  dlq
    .command('show <id>')
    .description('one with its body')
    .action((id: string) => run((s) => showDeadLetter(s, id)));
  dlq
    .command('retry <id>')
    .description('handle it again')
    .action((id: string) => run((s) => retryDeadLetter(s, id)));
  dlq
    .command('drop <id>')
    .description('throw it away')
    .action((id: string) => run((s) => dropDeadLetter(s, id)));
  program
    .command('doctor')
    .description('examine the cloud')
    .action(() => run((s) => doctor(s)));
  program
    .command('upgrade')
    .description('what is at which version, and what to exchange next; changes nothing')
    .action(() => run((s) => upgrade(s)));
  program
    .command('creds')
    .description("a context for an operator's nats CLI")
    .action(() => run((s) => creds(s)));
  program
    .command('version')
    .description('the version of this CLI')
    .action(() => {
      const { json } = program.opts<GlobalOptions>();
      process.stdout.write(`${json ? JSON.stringify({ version: VERSION }) : VERSION}\n`);
    });
}
