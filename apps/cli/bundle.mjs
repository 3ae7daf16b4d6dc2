// The CLI as one file that starts quickly: loading a hundred small ones takes longer than most commands.
import { chmod } from 'node:fs/promises';
import { build } from 'esbuild';

const outfile = 'dist/main.js';
await build({
  entryPoints: ['src/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  legalComments: 'none',
  logLevel: 'warning',
  // Some of what is bundled is CommonJS and wants `require` for Node's own modules.
  banner: {
    js: [
      '#!/usr/bin/env node',
      "import { createRequire as skerryCreateRequire } from 'node:module';",
      'const require = skerryCreateRequire(import.meta.url);',
    ].join('\n'),
  },
});
await chmod(outfile, 0o755);
