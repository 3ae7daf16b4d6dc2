// One file that a machine runs with Node alone: the agent and everything it needs. `node build.mjs [FILE]`.
import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';

const outfile = process.argv[2] ?? 'dist/bundle.mjs';

/**
 * Of `{ z }` all of zod is kept, its words in fifty languages too, a third of the file; of a namespace what is used.
 * @type {import('esbuild').Plugin}
 */
const usedOfZod = {
  name: 'used-of-zod',
  setup: (bundler) => {
    bundler.onLoad({ filter: /\/(?:apps|libs)\/[^/]+\/src\/.*\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace("import { z } from 'zod'", "import * as z from 'zod'"),
      loader: 'ts',
    }));
  },
};

await build({
  entryPoints: ['src/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  minify: true,
  // Other rooms are taken from their sources, so that the bundle needs no other build.
  conditions: ['@skerry/source'],
  // Of packages with both, the ES modules: what is not used falls away, and an idle agent is 9 MiB smaller.
  mainFields: ['module', 'main'],
  plugins: [usedOfZod],
  // Parts of it are CommonJS and ask for Node's own modules by `require`.
  banner: {
    js: "import{createRequire as skerryRequire}from'node:module';const require=skerryRequire(import.meta.url);",
  },
  legalComments: 'none',
  logLevel: 'warning',
});
