// `npm run sim [-- --seed N | --seeds COUNT [--from N] [--workers N]] [--within SECONDS] [--first-failure] [--json] [--mutation NAME]`:
// simulates clouds on the sources as they are; no build is needed. `npm run sim -- --mutations` breaks the product in every way that is
// found soon, one after the other, and ends with 1 when one is not found.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundleSimulation } from './bundle.mjs';
import { MUTATIONS } from './mutations.mjs';

const ROOT = resolve(import.meta.dirname, '../..');

/** Seeds that a mutation is looked for in. */
const TRIED = 100;

const args = process.argv.slice(2);
if (args.includes('--mutations')) process.exit(findAll());
const at = args.indexOf('--mutation');
const [, name] = at < 0 ? [] : args.splice(at, 2);
const mutation = MUTATIONS.find((m) => m.name === name);
if (name !== undefined && !mutation) {
  console.error(`there is no mutation ${name}; there are: ${MUTATIONS.map((m) => m.name).join(', ')}`);
  process.exit(2);
}

const cache = join(ROOT, '.cache');
mkdirSync(cache, { recursive: true });
// Inside the repository, since its packages are looked for from there.
const folder = mkdtempSync(join(cache, 'sim-'));
try {
  const outfile = join(folder, 'simulation.mjs');
  await bundleSimulation(outfile, mutation);
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', '--max-old-space-size=1500', '--max-semi-space-size=32', outfile, ...args],
    {
      cwd: ROOT,
      stdio: 'inherit',
    },
  );
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.exitCode = await new Promise((ended) => child.on('close', (code) => ended(code ?? 1)));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** @returns {number} the exit code */
function findAll() {
  const missed = MUTATIONS.filter(({ rare }) => rare !== true).filter(
    ({ name: given, says, breaks, from }) => {
      const seeds = ['--from', String(from), '--seeds', String(TRIED), '--first-failure', '--json'];
      const { stdout } = spawnSync(process.execPath, [import.meta.filename, '--mutation', given, ...seeds], {
        encoding: 'utf8',
      });
      /** @type {{ failed?: { seed: number, invariant: string }[] }} */
      const report = stdout.startsWith('{') ? JSON.parse(stdout) : {};
      const [first] = report.failed ?? [];
      const isFound = first?.invariant === breaks;
      console.log(
        `${isFound ? 'found ' : 'MISSED'} ${given}: ${says}${first ? `; seed ${first.seed}, ${first.invariant}` : ''}`,
      );
      return !isFound;
    },
  );
  console.log(`${missed.length} missed`);
  return missed.length > 0 ? 1 : 0;
}
