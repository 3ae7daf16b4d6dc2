// `npm run bench -- [NAME...] [--json] [options]`: runs test/bench/NAME.bench.ts (by default control-plane), each in a
// process of its own. Benchmarks are TypeScript, so each is bundled first; packages stay outside the bundle.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CACHE, ROOT, runMain, SetupError, setUp } from './setup.mjs';

const FOLDER = join(ROOT, 'test/bench');
const DEFAULT_BENCH = 'control-plane';
/** Names by which people call some of them. */
const ALSO = new Map([['data', 'datasets']]);

await runMain(async () => {
  const args = process.argv.slice(2);
  const firstOption = args.findIndex((arg) => arg.startsWith('-'));
  const names = (firstOption < 0 ? args : args.slice(0, firstOption)).map((name) => ALSO.get(name) ?? name);
  const options = firstOption < 0 ? [] : args.slice(firstOption);
  const known = await benches();
  const unknown = names.find((name) => !known.includes(name));
  if (unknown) throw new SetupError(`there is no benchmark ${unknown}; there are: ${known.join(', ')}`);
  // With --json the standard output holds the results and nothing else.
  await setUp((line) => console.error(line));
  const { ensureNatsServer } = await import('@skerry/nats-server');
  const { path } = await ensureNatsServer({ log: (line) => console.error(line) });
  for (const name of names.length > 0 ? names : [DEFAULT_BENCH]) {
    const code = await runBench(name, options, { ...process.env, NATS_SERVER: path });
    if (code !== 0) throw new SetupError(`the benchmark ${name} failed (code ${code})`);
  }
});

async function benches() {
  const files = existsSync(FOLDER) ? await readdir(FOLDER) : [];
  return files.flatMap((file) => (file.endsWith('.bench.ts') ? [file.slice(0, -'.bench.ts'.length)] : []));
}

/** @param {string} name @param {string[]} options @param {Record<string, string | undefined>} env */
async function runBench(name, options, env) {
  const outfile = join(CACHE, 'bench', `${name}.mjs`);
  const { build } = await import('esbuild');
  await build({
    entryPoints: [join(FOLDER, `${name}.bench.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  const child = spawn(process.execPath, ['--enable-source-maps', outfile, ...options], {
    cwd: ROOT,
    env,
    stdio: 'inherit',
  });
  // The terminal sends Ctrl-C to the benchmark as well: it cleans up, and this process waits for it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
}
