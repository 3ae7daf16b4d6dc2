import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse } from '@skerry/contracts';
import { z } from 'zod';
import { CommandFailed, EXIT } from './exit-codes.js';

/** Which cloud is spoken to, and as whom. The file holds a token: mode 0600. */
export const contextSchema = z.strictObject({
  name: z.string().max(128).default('skerry'),
  url: z.url({ protocol: /^https?$/ }),
  token: z.string().min(1).max(200),
  /** For an operator's `nats` CLI: servers, their CA, and credentials. */
  natsUrl: z.string().optional(),
  natsCa: z.string().optional(),
  operatorCreds: z.string().optional(),
});
export type Context = z.infer<typeof contextSchema> & { path?: string };

export interface ContextOptions {
  /** A context file, in place of the one that is looked for. */
  context?: string;
  /** An address, in place of the one in the file. */
  url?: string;
}

/**
 * The context: the file given, else `SKERRY_CONTEXT`, else that of the local cloud in `SKERRY_HOME`, else
 * `.skerry/context.json` in this folder or the nearest above it, else `~/.config/skerry/context.json`. `SKERRY_URL` and
 * `SKERRY_TOKEN` win over the file. Throws `CommandFailed`.
 */
export function loadContext(options: ContextOptions, env: NodeJS.ProcessEnv, cwd: string): Context {
  const path = options.context ?? (env['SKERRY_CONTEXT'] || ofLocalCloud(env) || found(cwd));
  const url = options.url ?? env['SKERRY_URL'];
  const token = env['SKERRY_TOKEN'];
  if (path === undefined && url !== undefined && token !== undefined)
    return checked({ url, token }, 'the environment');
  if (path === undefined) throw noContext();
  const file = readContext(path);
  const over = { ...(url === undefined ? {} : { url }), ...(token === undefined ? {} : { token }) };
  return { ...checked({ ...file, ...over }, path), path };
}

/** As `npm start` takes it, so that both mean the same cloud. */
function ofLocalCloud(env: NodeJS.ProcessEnv): string | undefined {
  const home = env['SKERRY_HOME'];
  return home === undefined || home === ''
    ? undefined
    : join(resolve(home.replace(/^~(?=\/|$)/, homedir())), 'context.json');
}

function found(cwd: string): string | undefined {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const path = join(folder, '.skerry', 'context.json');
    if (exists(path)) return path;
    if (folder === dirname(folder)) break;
  }
  const own = join(homedir(), '.config', 'skerry', 'context.json');
  return exists(own) ? own : undefined;
}

function readContext(path: string): object {
  const mode = statOf(path)?.mode;
  if (mode === undefined) throw new CommandFailed(EXIT.usage, `there is no context file ${path}`, START);
  if ((mode & 0o077) !== 0) {
    throw new CommandFailed(
      EXIT.usage,
      `${path} can be read by others, and it holds a token`,
      `chmod 600 ${path}`,
    );
  }
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below: nothing of a file that holds a token is repeated.
  }
  throw new CommandFailed(EXIT.usage, `${path} is no JSON object`, START);
}

function checked(value: object, from: string): z.infer<typeof contextSchema> {
  const parsed = parse(contextSchema, value);
  if (parsed.ok) return parsed.value;
  const lines = parsed.issues.map(
    ({ path, problem, allowed }) => `${path}: ${problem}${allowed ? ` (allowed: ${allowed})` : ''}`,
  );
  throw new CommandFailed(EXIT.usage, `the context from ${from} is not right`, START, lines);
}

const START = 'start a cloud with `npm start`, or name a context file with --context or SKERRY_CONTEXT';

function noContext(): CommandFailed {
  return new CommandFailed(
    EXIT.usage,
    'no cloud is known here: there is no .skerry/context.json in this folder or above it',
    START,
  );
}

function exists(path: string): boolean {
  return statOf(path) !== undefined;
}

function statOf(path: string) {
  return statSync(path, { throwIfNoEntry: false });
}
