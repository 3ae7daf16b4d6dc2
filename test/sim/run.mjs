// `npm run sim [-- --seed N | --seeds COUNT [--from N] [--workers N]] [--within SECONDS] [--first-failure] [--json] [--mutation NAME]`:
// simulates clouds on the sources as they are; no build is needed.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundleSimulation } from './bundle.mjs';
import { MUTATIONS } from './mutations.mjs';

const ROOT = resolve(import.meta.dirname, '../..');

const args = process.argv.slice(2);
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
