// `npm test [-- jest's arguments]`: all tests, from a fresh clone too. First those that run side by side, then those
// that each start a whole cloud of their own, a few at a time, and those in which time counts one after another. The last
// line is the outcome.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT, runMain, SetupError, setUp } from './setup.mjs';

/** The whole run, setup included. A healthy one takes less than ten minutes on two cores; more than this is a test that hangs. */
const LIMIT_MS = 14 * 60_000;

/** After its last result a run of jest may take this long to end; longer means that a test left something open. */
const END_GRACE_MS = 15_000;

/** What tests started may take this long to stop. */
const STOP_GRACE_MS = 10_000;

/** Tests of whole clouds that say how soon something happens: nothing else runs beside them. */
const TIMED = 'control-plane|cut-off|failover';

/** More than cores: a test waits for something half of its time. */
const WORKERS = '--maxWorkers=3';

const RUNS = [
  {
    name: 'tests of rules and of single parts',
    args: [WORKERS, '--testPathIgnorePatterns=/test/e2e/'],
  },
  {
    name: 'tests of whole clouds',
    args: [
      WORKERS,
      '--testPathIgnorePatterns=\\.spec\\.ts$',
      '--testPathIgnorePatterns=^(?!.*/test/e2e/)',
      `--testPathIgnorePatterns=/test/e2e/(${TIMED})\\.e2e\\.ts$`,
    ],
  },
  {
    name: 'tests of whole clouds in which time counts',
    args: [
      '--runInBand',
      '--testPathIgnorePatterns=\\.spec\\.ts$',
      `--testPathIgnorePatterns=^(?!.*/test/e2e/(${TIMED})\\.e2e\\.ts$)`,
    ],
  },
];
const ALWAYS_IGNORED = ['/node_modules/', '/dist/', '<rootDir>/.cache/', '<rootDir>/.skerry/'];

/**
 * With CI=true so few files that failed are run once more, alone: what fails there fails; what passes is named, since a test that
 * needs a quiet machine is to be mended, and is no reason to throw away a change.
 */
const FILES_AGAIN = 3;

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */
/** `files`: those in which something failed. @typedef {Counts & { files?: (Counts & { file: string })[] }} Summary */

/** @type {Counts} */
const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {(Counts & { file: string })[]} */
const failedFiles = [];

await runMain(async () => {
  const deadline = performance.now() + LIMIT_MS;
  const folder = mkdtempSync(join(tmpdir(), 'skerry-test-'));
  try {
    await setUp((line) => console.log(line));
    const env = { ...process.env, NATS_SERVER: await natsServer() };
    await objectStore();
    for (const run of RUNS) {
      const summary = await jest(run, { env, folder, timeoutMs: deadline - performance.now() });
      add(summary);
      failedFiles.push(...(summary.files ?? []));
    }
    if (process.env['CI'] === 'true' && failedFiles.length <= FILES_AGAIN)
      for (const failed of failedFiles) await again(failed, { env, folder, deadline });
    if (total.passed + total.failed === 0)
      throw new SetupError(`no test matches ${process.argv.slice(2).join(' ')}`);
  } catch (error) {
    total.failed += 1;
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
if (total.failed > 0) process.exitCode = 1;
console.log(
  `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`,
);

/** @param {Counts} counts @param {1 | -1} [sign] */
function add(counts, sign = 1) {
  for (const key of /** @type {const} */ (['passed', 'failed', 'skipped'])) total[key] += sign * counts[key];
}

/**
 * @param {Counts & { file: string }} failed
 * @param {{ env: Record<string, string | undefined>, folder: string, deadline: number }} options
 */
async function again(failed, { env, folder, deadline }) {
  console.log(`once more, alone: ${failed.file}`);
  const run = { name: 'once more', args: ['--runInBand', '--runTestsByPath', failed.file] };
  const summary = await jest(run, { env, folder, timeoutMs: deadline - performance.now() });
  rmSync(join(folder, `${run.name}.json`), { force: true });
  add(failed, -1);
  add(summary);
  if (summary.failed === 0) console.log(`passed only when it ran alone: ${failed.file}`);
}

async function natsServer() {
  const { ensureNatsServer } = await import('@skerry/nats-server');
  const { path, version, from } = await ensureNatsServer({ log: (line) => console.log(line) });
  console.log(`nats-server ${version} from ${from}`);
  return path;
}

/** Loaded here, where it is seen that it takes time. A machine without one runs all tests but those against it, which say why. */
async function objectStore() {
  const { ensureDebianTool } = await import('@skerry/nats-server');
  await ensureDebianTool('swift', { log: (line) => console.log(line) }).catch(({ message }) =>
    console.log(message),
  );
}

/**
 * One run of jest. What it leaves behind when it has to be ended is ended with it.
 *
 * @param {{ name: string, args: string[] }} run
 * @param {{ env: Record<string, string | undefined>, folder: string, timeoutMs: number }} options
 * @returns {Promise<Summary>}
 */
async function jest({ name, args }, { env, folder, timeoutMs }) {
  const summaryFile = join(folder, `${name}.json`);
  const argv = [
    join(ROOT, 'node_modules/jest/bin/jest.js'),
    // jest takes every word after a list for a part of the list, so the caller's words come first.
    ...process.argv.slice(2),
    `--config=${join(ROOT, 'test/jest.config.mjs')}`,
    `--reporters=${join(ROOT, 'test/jest-reporter.mjs')}`,
    '--passWithNoTests',
    ...args,
    ...ALWAYS_IGNORED.map((pattern) => `--testPathIgnorePatterns=${pattern}`),
  ];
  const nodeOptions = [env['NODE_OPTIONS'], '--experimental-vm-modules', '--no-warnings']
    .filter(Boolean)
    .join(' ');
  const child = spawn(process.execPath, argv, {
    cwd: ROOT,
    env: { ...env, NODE_OPTIONS: nodeOptions, SKERRY_TEST_SUMMARY: summaryFile },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const why = await endOf(child, summaryFile, timeoutMs);
  const summary = readSummary(summaryFile);
  if (why) {
    console.log(`${name}: ${why}`);
    return { ...(summary ?? { passed: 0, skipped: 0 }), failed: (summary?.failed ?? 0) + 1 };
  }
  if (summary) return summary;
  return { passed: 0, failed: child.exitCode === 0 ? 0 : 1, skipped: 0 };
}

/**
 * Waits until jest ends, and ends it (its whole process group) when it takes too long.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} summaryFile
 * @param {number} timeoutMs
 * @returns {Promise<string | undefined>} why it did not end well by itself
 */
async function endOf(child, summaryFile, timeoutMs) {
  /** @type {string | undefined} */
  let why;
  /** @type {Promise<void> | undefined} */
  let ending;
  const end = (/** @type {string} */ reason) => {
    why ??= reason;
    if (child.pid) ending ??= endGroup(child.pid);
  };
  const limit = setTimeout(
    () => end(`ended after the limit of ${LIMIT_MS / 60_000} minutes`),
    Math.max(0, timeoutMs),
  );
  let reportedAt = 0;
  const watch = setInterval(() => {
    if (!readSummary(summaryFile)) return;
    reportedAt ||= performance.now();
    if (performance.now() - reportedAt > END_GRACE_MS)
      end('did not end after its last test: a test left something open');
  }, 500);
  const stop = () => end('interrupted');
  process.on('SIGINT', stop).on('SIGTERM', stop);
  await new Promise((resolve) => child.on('close', resolve).on('error', resolve));
  clearTimeout(limit);
  clearInterval(watch);
  await ending;
  process.off('SIGINT', stop).off('SIGTERM', stop);
  return why;
}

/**
 * Ends a process group as Ctrl-C does, so that clouds started by tests take their replicas down, and then for good.
 *
 * @param {number} pid of the group's first process
 */
async function endGroup(pid) {
  signalGroup(pid, 'SIGINT');
  const deadline = performance.now() + STOP_GRACE_MS;
  while (performance.now() < deadline && signalGroup(pid, 0)) await sleep(100);
  signalGroup(pid, 'SIGKILL');
}

/** @param {number} pid @param {NodeJS.Signals | 0} signal @returns {boolean} whether anything is left in the group */
function signalGroup(pid, signal) {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

/** @param {string} file @returns {Summary | undefined} */
function readSummary(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
