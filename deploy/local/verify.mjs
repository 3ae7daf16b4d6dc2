// `npm run verify`: everything that a change must pass, in the order of what fails fastest. Stops at the first failure,
// but with CI=true runs every step. The last line is `N passed, N failed`, where a failed step counts as one failed.
import { join } from 'node:path';
import {
  capture,
  checkNode,
  ensureBuilt,
  ensureInstalled,
  ROOT,
  runMain,
  secondsSince,
  SetupError,
} from './setup.mjs';

/** @param {string} name */
const bin = (name) => join(ROOT, 'node_modules/.bin', name);
const jestOptions = { NODE_OPTIONS: '--experimental-vm-modules --no-warnings' };

/** @type {{ name: string, argv?: string[], run?: () => Promise<void>, env?: Record<string, string>, live?: boolean }[]} */
const STEPS = [
  { name: 'format', argv: [bin('prettier'), '--check', '.', '--log-level', 'warn'] },
  { name: 'lint', argv: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'types', argv: [bin('tsc'), '-p', 'tsconfig.json'] },
  { name: 'types of plain JavaScript', argv: [bin('tsc'), '-p', 'deploy/tsconfig.json'] },
  { name: 'build', run: () => ensureBuilt(() => {}) },
  { name: 'tidy', argv: [bin('jest'), '-c', 'test/jest.config.mjs', 'test/tidy'], env: jestOptions },
  { name: 'tests', argv: ['npm', 'test'], live: true },
];

/** @type {string[]} */
const failed = [];
let outcome = '0 passed, 0 failed';

await runMain(async () => {
  checkNode();
  await ensureInstalled((line) => console.log(line));
  for (const step of STEPS) {
    const output = await runStep(step);
    if (step.name === 'tests')
      outcome =
        output
          .trimEnd()
          .match(/^\d+ passed, \d+ failed(, \d+ skipped)?$/gm)
          ?.at(-1) ?? outcome;
    if (failed.length > 0 && process.env['CI'] !== 'true') break;
  }
});
console.log(withFailedSteps(outcome));
if (failed.length > 0) process.exitCode = 1;

/** @param {typeof STEPS[number]} step @returns {Promise<string>} what it printed */
async function runStep({ name, argv, run, env, live = false }) {
  const start = performance.now();
  if (live) console.log(`${name}:`);
  const options = {
    ...(env ? { env } : {}),
    ...(live ? { onText: (/** @type {string} */ text) => void process.stdout.write(text) } : {}),
  };
  const { code, output } = argv ? await capture(argv, options) : await outcomeOf(run);
  if (code !== 0) failed.push(name);
  if (code !== 0 && !live) console.log(output.trimEnd());
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${secondsSince(start)} s)`);
  return output;
}

/** @param {(() => Promise<void>) | undefined} run */
async function outcomeOf(run) {
  try {
    await run?.();
    return { code: 0, output: '' };
  } catch (error) {
    if (error instanceof SetupError) return { code: 1, output: error.message };
    throw error;
  }
}

/**
 * A green line must not end a red run: each failed step other than the tests counts as one failed.
 *
 * @param {string} line such as `12 passed, 0 failed`
 */
function withFailedSteps(line) {
  const steps = failed.filter((name) => name !== 'tests').length;
  const bare = failed.includes('tests') && / 0 failed/.test(line) ? 1 : 0;
  return line.replace(/(\d+) failed/, (_, count) => `${Number(count) + steps + bare} failed`);
}
