// What every command of this repository needs first: the right Node, the dependencies, the build. Plain JavaScript
// that imports nothing but Node's own modules, since it runs in a fresh clone. Doing it again costs 0.1 s.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

/** The top of the repository. */
export const ROOT = resolve(import.meta.dirname, '../..');

/** Folders and files of the cache that belong to this machine and clone alone; never committed. */
export const CACHE = join(ROOT, '.cache');

const BUILD_STAMP = join(CACHE, 'built');

/** The folders that hold rooms, each with its own package.json. */
const ROOM_FOLDERS = ['libs', 'apps', 'deploy'];

/** Folders in a room that no build reads. */
const UNBUILT = ['dist', 'node_modules'];

/** NestJS 12 and require() of ES modules need it. */
const MINIMUM_NODE = [20, 19];

/** A failure that the reader of the terminal can mend: shown without a stack. */
export class SetupError extends Error {}

/**
 * Installs and builds what is missing or out of date.
 *
 * @param {(line: string) => void} log takes one line for each thing that takes time
 */
export async function setUp(log) {
  checkNode();
  await ensureInstalled(log);
  await ensureBuilt(log);
}

/** Refuses a Node that is too old. */
export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = MINIMUM_NODE;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw new SetupError(
    `Node ${MINIMUM_NODE.join('.')} or newer is needed, and this is ${process.versions.node} (${process.execPath}): put a newer node on PATH`,
  );
}

/**
 * Runs `npm ci` unless node_modules holds exactly what package-lock.json asks for.
 *
 * @param {(line: string) => void} log
 */
export async function ensureInstalled(log) {
  const reason = whyInstall(ROOT);
  if (!reason) return;
  await timed(
    log,
    `installing the dependencies (${reason}); the first time takes about half a minute`,
    'installed',
    () => runShown(['npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci'),
  );
}

/**
 * npm writes what it installed to node_modules/.package-lock.json, as its last step: so an interrupted install is
 * noticed as well as a changed lock.
 *
 * @param {string} root
 * @returns {string | undefined} undefined when nothing is to be done
 */
export function whyInstall(root) {
  const installedFile = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return 'node_modules is missing or incomplete';
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  /** @param {[string, { optional?: boolean, version?: string, resolved?: string }]} entry */
  const differs = ([place, { optional, version, resolved }]) => {
    if (!place.includes('node_modules/') || (optional && !installed[place])) return false;
    return installed[place]?.version !== version || installed[place]?.resolved !== resolved;
  };
  const changed = Object.entries(wanted).find(differs);
  return changed && `${changed[0].replace('node_modules/', '')} is not as in package-lock.json`;
}

/**
 * Builds every room with Nx unless the sources are those of the last build.
 *
 * @param {(line: string) => void} log
 */
export async function ensureBuilt(log) {
  const stamp = await sourcesDigest(ROOT);
  const last = await readFile(BUILD_STAMP, 'utf8').catch(() => '');
  if (last === stamp && (await roomsWithoutBuild()).length === 0) return;
  await timed(log, 'building', 'built', () =>
    runShown(
      [process.execPath, join(ROOT, 'node_modules/nx/dist/bin/nx.js'), 'run-many', '-t', 'build'],
      'build',
    ),
  );
  await mkdir(dirname(BUILD_STAMP), { recursive: true });
  await writeFile(BUILD_STAMP, stamp);
}

/** Rooms that have a build and nothing built. */
async function roomsWithoutBuild() {
  const rooms = await roomsOf(ROOT);
  return rooms.filter((room) => {
    const { scripts } = JSON.parse(readFileSync(join(room, 'package.json'), 'utf8'));
    return scripts?.build && !existsSync(join(room, 'dist'));
  });
}

/** @param {string} root */
async function roomsOf(root) {
  const found = await Promise.all(
    ROOM_FOLDERS.map(async (folder) => {
      /** @type {string[]} */
      const names = await readdir(join(root, folder)).catch(() => []);
      return names.sort().map((name) => join(root, folder, name));
    }),
  );
  return found.flat().filter((room) => existsSync(join(room, 'package.json')));
}

/**
 * The digest of everything that a build reads: the rooms' sources without their tests, and the settings.
 *
 * @param {string} root
 * @returns {Promise<string>} SHA-256 in hex
 */
export async function sourcesDigest(root) {
  const settings = ['package-lock.json', 'tsconfig.json', 'nx.json'].map((name) => join(root, name));
  const sources = await Promise.all((await roomsOf(root)).map(filesOf));
  const hash = createHash('sha256').update(process.versions.node);
  for (const file of [...settings, ...sources.flat()].sort()) {
    hash.update(`\0${relative(root, file)}\0`).update(await readFile(file));
  }
  return hash.digest('hex');
}

/** @param {string} folder @returns {Promise<string[]>} */
async function filesOf(folder) {
  const entries = await readdir(folder, { withFileTypes: true });
  const below = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return UNBUILT.includes(entry.name) ? [] : filesOf(path);
    return entry.isFile() && isBuilt(entry.name) ? [path] : [];
  });
  return (await Promise.all(below)).flat();
}

/** @param {string} name of a file: whether a build reads it */
function isBuilt(name) {
  return /\.(ts|mts|mjs|json)$/.test(name) && !/\.(spec|e2e|suite)\.ts$/.test(name);
}

/**
 * Says what is going on before it starts, and how long it took.
 *
 * @template T
 * @param {(line: string) => void} log
 * @param {string} doing
 * @param {string} done
 * @param {() => Promise<T>} work
 */
export async function timed(log, doing, done, work) {
  log(`${doing} ...`);
  const start = performance.now();
  const result = await work();
  log(`${done} in ${secondsSince(start)} s`);
  return result;
}

/** @param {number} start of performance.now() */
export function secondsSince(start) {
  return ((performance.now() - start) / 1000).toFixed(1);
}

/**
 * Runs a command at the top of the repository and keeps what it prints, to show it when it fails.
 *
 * @param {readonly string[]} argv
 * @param {string} name what the error calls it
 */
export async function runShown(argv, name) {
  const { code, output } = await capture(argv);
  if (code !== 0) throw new SetupError(`${output.trimEnd()}\n${name} failed (code ${code}): see above`);
}

/**
 * Runs a command at the top of the repository to its end.
 *
 * @param {readonly string[]} argv no shell is involved
 * @param {{ env?: Record<string, string | undefined>, onText?: (text: string) => void }} options `onText` gets what it
 *   prints, as it comes
 * @returns {Promise<{ code: number, output: string }>} both its outputs in the order they came
 */
export function capture(argv, { env, onText } = {}) {
  const [command = '', ...rest] = argv;
  return new Promise((resolveResult) => {
    let output = '';
    const take = (/** @type {string} */ text) => {
      output += text;
      onText?.(text);
    };
    const child = spawn(command, rest, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', ({ message }) =>
      resolveResult({ code: 127, output: `${command} could not be run: ${message}` }),
    );
    child.on('close', (code, signal) =>
      resolveResult({ code: code ?? 1, output: signal ? `${output}\n${signal}` : output }),
    );
  });
}

/**
 * Runs the whole of a command of this repository: a SetupError is shown as one plain message, and the code is 1.
 *
 * @param {() => Promise<void>} main
 */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    console.error(isPlain(error) ? error.message : error);
    process.exitCode = 1;
  }
}

/** @param {unknown} error @returns {error is Error} */
function isPlain(error) {
  return error instanceof Error && (error instanceof SetupError || error.name === 'NatsServerMissing');
}
