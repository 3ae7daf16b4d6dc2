import { NotSkerry, ProblemError, Unreachable } from '@skerry/client';
import type { Issue, Problem } from '@skerry/contracts';
import { CommandFailed, EXIT, exitCodeOf, type ExitCode } from '../exit-codes.js';
import { plain, type Terminal } from './terminal.js';

/** Shows an error on standard error, as a person or (with `--json`) a program reads it, and answers the exit code. */
export function showError(error: unknown, terminal: Terminal): ExitCode {
  if (error instanceof ProblemError) return showProblem(error.problem, terminal);
  const { code, exitCode, message, hint, lines } = described(error);
  if (terminal.json) {
    terminal.error(JSON.stringify({ error: { code, title: message, ...(hint ? { hint } : {}), lines } }));
    return exitCode;
  }
  terminal.error(`${terminal.colours.red('error:')} ${plain(message)}`);
  for (const line of lines) terminal.error(`  ${plain(line)}`);
  if (hint) terminal.error(`hint: ${plain(hint)}`);
  return exitCode;
}

interface Described {
  code: string;
  exitCode: ExitCode;
  message: string;
  hint?: string | undefined;
  lines: readonly string[];
}

function described(error: unknown): Described {
  if (error instanceof CommandFailed) {
    const { exitCode, message, hint, lines } = error;
    return { code: codeName(exitCode), exitCode, message, hint, lines };
  }
  if (error instanceof Unreachable) {
    const hint = 'is the cloud running? `npm start` starts it; another one is named with --url or --context';
    return { code: 'unreachable', exitCode: EXIT.unreachable, message: error.message, hint, lines: [] };
  }
  if (error instanceof NotSkerry) {
    const hint = 'check the address in the context file, or --url';
    return { code: 'unreachable', exitCode: EXIT.unreachable, message: error.message, hint, lines: [] };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', exitCode: EXIT.failed, message, lines: [] };
}

function codeName(exitCode: ExitCode): string {
  return Object.entries(EXIT).find(([, code]) => code === exitCode)?.[0] ?? 'failed';
}

function showProblem(problem: Problem, terminal: Terminal): ExitCode {
  const exitCode = exitCodeOf(problem.code);
  if (terminal.json) {
    terminal.error(JSON.stringify({ error: problem }));
    return exitCode;
  }
  const { red, dim } = terminal.colours;
  terminal.error(`${red('error:')} ${plain(problem.title)} (${problem.code})`);
  for (const issue of problem.issues) for (const line of issueLines(issue)) terminal.error(`  ${line}`);
  if (problem.hint) terminal.error(`hint: ${plain(problem.hint)}`);
  const ids = [
    problem.requestId && `request ${problem.requestId}`,
    problem.traceId && `trace ${problem.traceId}`,
  ];
  const known = ids.filter(Boolean).join(', ');
  if (known !== '') terminal.error(dim(known));
  return exitCode;
}

/** Where, what, what was given, what is allowed. */
function issueLines({ path, problem, value, allowed }: Issue): string[] {
  const given = value === undefined ? '' : `: ${value}`;
  const may = allowed === undefined ? '' : `; allowed: ${allowed}`;
  return [plain(path), `  ${plain(`${problem}${given}${may}`)}`];
}
