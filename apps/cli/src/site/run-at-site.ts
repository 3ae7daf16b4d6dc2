import { ProblemError } from '@skerry/client';
import { Refusal } from '@skerry/contracts';
import { CommanderError } from 'commander';
import { loadContext } from '../context-file.js';
import { EXIT } from '../exit-codes.js';
import { showError } from '../output/show-error.js';
import { Terminal } from '../output/terminal.js';
import { SiteClient } from './site-client.js';
import { findSiteFolder } from './site-folder.js';
import { makeSiteProgram, type SiteGlobals } from './site-program.js';
import type { SiteSession } from './site-commands.js';

/** Runs `skerry --site HERE …`; resolves with the exit code. */
export async function runAtSite(here: string, args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = makeSiteProgram((globals) => async (work) => {
    exitCode = await runOne(here, globals, work);
  });
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

async function runOne(
  here: string,
  globals: SiteGlobals,
  work: (session: SiteSession) => Promise<void>,
): Promise<number> {
  const terminal = new Terminal(
    { out: process.stdout, err: process.stderr },
    globals.json === true,
    process.env,
  );
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  let client: SiteClient | undefined;
  try {
    const folder = findSiteFolder(here, process.env, process.cwd());
    client = await terminal.during('connecting', SiteClient.connect(folder, tokenOf(globals)));
    const { signal } = interrupted;
    await work({ client, terminal, here, project: globals.project, stdin: process.stdin, signal });
    return EXIT.ok;
  } catch (error) {
    return showError(error instanceof Refusal ? new ProblemError({ ...error.problem() }) : error, terminal);
  } finally {
    await client?.close();
  }
}

/** The token alone: the api need not be known here. */
function tokenOf({ context }: SiteGlobals): string {
  const token = process.env['SKERRY_TOKEN'];
  if (token !== undefined && token !== '') return token;
  return loadContext(context === undefined ? {} : { context }, process.env, process.cwd()).token;
}
