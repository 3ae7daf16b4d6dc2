import { SkerryClient } from '@skerry/client';
import { CommanderError, InvalidArgumentError } from 'commander';
import type { Session } from './commands/session.js';
import { loadContext } from './context-file.js';
import { CommandFailed, EXIT } from './exit-codes.js';
import { showError } from './output/show-error.js';
import { Terminal } from './output/terminal.js';
import { makeProgram, type Act, type ActHere, type GlobalOptions } from './program.js';
import { beginRootSpan } from './root-span.js';
import { siteNamed } from './site/site-named.js';

/** A bearer or join token in an argument can be read by every user of the machine. */
const TOKEN = /sk[yj]_[a-z0-9]{8,}_/;
/** What a stream has to end after Ctrl-C. */
const LET_GO_MS = 500;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  process.stdout.on('error', endOnClosedPipe);
  let exitCode: number = EXIT.ok;
  const commandName = args.find((arg) => !arg.startsWith('-')) ?? '';
  const act =
    (globals: GlobalOptions): Act =>
    async (work) => {
      exitCode = await runCommand(commandName, globals, work);
    };
  const actHere =
    (globals: GlobalOptions): ActHere =>
    async (work) => {
      exitCode = await runHere(globals, work);
    };
  if (args.some((arg) => TOKEN.test(arg))) {
    process.stderr.write('error: a token does not belong into an argument, where others can read it\n');
    process.stderr.write(
      'hint: put it into the context file (mode 0600), or into the variable SKERRY_TOKEN\n',
    );
    return EXIT.usage;
  }
  const here = siteNamed(args);
  // Nothing of it is loaded by the other commands.
  if (here !== undefined) return (await import('./site/run-at-site.js')).runAtSite(here.site, here.rest);
  const program = makeProgram(act, actHere);
  for (const command of [program, ...program.commands, ...program.commands.flatMap((c) => c.commands)]) {
    command.exitOverride();
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has said what is wrong; --help and --version end with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

async function runCommand(
  commandName: string,
  globals: GlobalOptions,
  work: Parameters<Act>[0],
): Promise<number> {
  const terminal = terminalOf(globals);
  const trace = beginRootSpan(`skerry ${commandName}`.trim(), process.env);
  const interrupted = new AbortController();
  process.once('SIGINT', () => {
    interrupted.abort();
    // Streams end by themselves, and well; whatever else is waited for is let go.
    setTimeout(() => process.exit(EXIT.interrupted), LET_GO_MS).unref();
  });
  let exitCode: number;
  try {
    const context = loadContext(globals, process.env, process.cwd());
    const onRetry = (reason: string) => terminal.note(`${reason}; trying again`);
    const client = new SkerryClient({ url: context.url, token: context.token, trace, onRetry });
    const session: Session = {
      client,
      context,
      terminal,
      trace,
      project: globals.project,
      stdin: process.stdin,
      signal: interrupted.signal,
    };
    exitCode = (await work(session)) ?? EXIT.ok;
  } catch (error) {
    exitCode = showError(asCommandFailed(error), terminal);
  }
  await trace.end(exitCode === EXIT.ok);
  return exitCode;
}

/** A command that speaks to nobody; Ctrl-C ends it at once. */
async function runHere(globals: GlobalOptions, work: Parameters<ActHere>[0]): Promise<number> {
  const terminal = terminalOf(globals);
  try {
    return (await work(terminal)) ?? EXIT.ok;
  } catch (error) {
    return showError(asCommandFailed(error), terminal);
  }
}

function terminalOf({ json }: GlobalOptions): Terminal {
  return new Terminal({ out: process.stdout, err: process.stderr }, json === true, process.env);
}

function asCommandFailed(error: unknown): unknown {
  return error instanceof InvalidArgumentError ? new CommandFailed(EXIT.usage, error.message) : error;
}

/** \`skerry events | head\` closes the pipe: that is no failure. */
function endOnClosedPipe(error: NodeJS.ErrnoException): void {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed);
}
