// One file that a machine runs with Node alone: the agent and everything it needs.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/main.ts'],
  outfile: 'dist/bundle.mjs',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  minify: true,
  // Other rooms are taken from their sources, so that the bundle needs no other build.
  conditions: ['@skerry/source'],
  // Of packages with both, the ES modules: what is not used falls away, and an idle agent is 9 MiB smaller.
  mainFields: ['module', 'main'],
  // Parts of it are CommonJS and ask for Node's own modules by `require`.
  banner: {
    js: "import{createRequire as skerryRequire}from'node:module';const require=skerryRequire(import.meta.url);",
  },
  legalComments: 'none',
  logLevel: 'warning',
});
