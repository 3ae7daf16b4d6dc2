import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import type { CloudUnderTest } from './cloud-under-test.js';

/** The command line's program. */
export const CLI = resolve(import.meta.dirname, '..', '..', 'apps', 'cli', 'dist', 'main.js');
const TIMEOUT_MS = 60_000;

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command line as a person does, against a cloud under test. */
export async function runSkerry(
  under: CloudUnderTest,
  args: readonly string[],
  env: Record<string, string> = {},
  input = '',
): Promise<CommandResult> {
  const { home, context } = under.cloud.paths;
  return run(home, args, { env: { SKERRY_CONTEXT: context, ...env }, input });
}

/** The same where only `SKERRY_HOME` says which cloud is meant. */
export async function runSkerryOf(home: string, args: readonly string[]): Promise<CommandResult> {
  return run(home, args, { env: { SKERRY_HOME: home }, input: '' });
}

/** The same on a machine of its own: `command` gives the argv that runs another there. */
export async function runSkerryAt(
  under: CloudUnderTest,
  args: readonly string[],
  command: (argv: readonly string[]) => string[],
): Promise<CommandResult> {
  const { home, context } = under.cloud.paths;
  return run(home, args, { env: { SKERRY_CONTEXT: context, SKERRY_HOME: home }, input: '' }, command);
}

async function run(
  cwd: string,
  args: readonly string[],
  { env, input }: { env: Record<string, string>; input: string },
  command: (argv: readonly string[]) => string[] = (argv) => [...argv],
): Promise<CommandResult> {
  const [program = '', ...rest] = command([process.execPath, CLI, ...args]);
  const child = spawn(program, rest, {
    env: { PATH: process.env['PATH'] ?? '', HOME: cwd, ...env },
    cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  child.stdin.end(input);
  const code = await new Promise<number>((done) => child.once('close', (exit) => done(exit ?? -1)));
  return { code, stdout, stderr };
}
