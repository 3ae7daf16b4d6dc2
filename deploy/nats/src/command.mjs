import { spawn } from 'node:child_process';

/** The end of a command's output that an error shows, in characters. */
const SHOWN = 600;

/** What a command may print before it is ended: 8 MiB. */
const MAX_OUTPUT = 8 * 1024 * 1024;

/**
 * Runs a command to its end and gives what it printed.
 *
 * @param {readonly string[]} argv the command and its arguments; no shell is involved
 * @param {{ timeoutMs: number, env?: Record<string, string | undefined>, cwd?: string }} options killed after `timeoutMs`
 * @returns {Promise<string>} its standard output; rejects with the end of what it printed when it fails
 */
export async function run(argv, { timeoutMs, env, cwd }) {
  const [command = '', ...rest] = argv;
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...(env ?? process.env), LC_ALL: 'C' },
    ...(cwd ? { cwd } : {}),
  });
  // Not spawn's own timeout: its timer outlives a command that could not be started.
  const limit = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
    if (stdout.length > MAX_OUTPUT) child.kill('SIGKILL');
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr = (stderr + text).slice(-MAX_OUTPUT);
  });
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => {
      clearTimeout(limit);
      reject(new Error(`${command} could not be run: ${cause.message}`, { cause }));
    });
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      if (code === 0) resolve(stdout);
      else reject(new Error(`${command} ${endOf(code, signal, timeoutMs)}${tail(stderr || stdout)}`));
    });
  });
}

/** @param {number | null} code @param {string | null} signal @param {number} timeoutMs */
function endOf(code, signal, timeoutMs) {
  if (signal === 'SIGKILL') return `was ended after ${timeoutMs / 1000} s`;
  return signal ? `was ended by ${signal}` : `failed with code ${code}`;
}

/** @param {string} text */
function tail(text) {
  const shown = text.trim().slice(-SHOWN);
  return shown === '' ? '' : `: ${shown}`;
}
