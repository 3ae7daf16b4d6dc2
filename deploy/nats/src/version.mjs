import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { run } from './command.mjs';

/** 2.14.0 brought flow-control acknowledged durable sourcing, on which the downlink to the sites stands. */
export const MINIMUM_VERSION = '2.14.0';

/** How long a binary may take to say its version. A cold disk takes about one second. */
const VERSION_TIMEOUT_MS = 10_000;

/**
 * What `<path> -v` says. Rejects when it cannot be run or is no nats-server.
 *
 * @param {string} path
 * @returns {Promise<string>} such as `2.15.1`
 */
export async function versionOf(path) {
  const said = await run([path, '-v'], { timeoutMs: VERSION_TIMEOUT_MS });
  const version = /^nats-server: v(\d+\.\d+\.\d+\S*)/m.exec(said)?.[1];
  if (!version) throw new Error(`${path} -v does not name a version of nats-server`);
  return version;
}

/**
 * Whether version `a` is at least `b`. A suffix such as `-RC.1` is ignored: a release candidate has its release's
 * features.
 *
 * @param {string} a
 * @param {string} b
 */
export function isAtLeast(a, b) {
  const left = numbersOf(a);
  const right = numbersOf(b);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** @param {string} version */
function numbersOf(version) {
  return version.replace(/^v/, '').split(/[.+-]/, 3).map(Number);
}

/**
 * The first runnable file of that name in the folders of `PATH`.
 *
 * @param {string} name
 * @param {string | undefined} path such as `process.env.PATH`
 */
export function whereIs(name, path) {
  return (path ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => resolve(folder, name))
    .find(isRunnable);
}

/** @param {string} file */
function isRunnable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
