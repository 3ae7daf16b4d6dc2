// A service as one file, made of what tsc has written into its `dist`: run in the service's folder. Loading a thousand small
// files takes a service three times as long as loading one, and 20 MiB more of memory; a source map would take most of that
// again, so that there is none: names are kept, and each part says which file it is of.
import { readFile, rename, rm } from 'node:fs/promises';
import { build } from 'esbuild';

const outfile = 'dist/main.js';
const draft = `dist/main.${process.pid}.draft.js`;
/** Says that it is one already: of two builds at the same time the other was first. */
const BUNDLED = '// one file\n';

/** What Nest and others ask for only where it is installed, and work without. */
const NOT_INSTALLED = [
  '@fastify/multipart',
  '@fastify/static',
  '@fastify/view',
  '@grpc/*',
  '@nestjs/platform-express',
  '@nestjs/websockets',
  '@nestjs/websockets/*',
  'amqp-connection-manager',
  'amqplib',
  'class-transformer',
  'class-transformer/*',
  'class-validator',
  'kafkajs',
  'mqtt',
  'nats',
];

if ((await readFile(outfile, 'utf8')).startsWith(BUNDLED)) process.exit(0);

await build({
  entryPoints: [outfile],
  outfile: draft,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  // Of packages with both, the ES modules: what is not used falls away.
  mainFields: ['module', 'main'],
  // Classes are told apart by name in logs and in errors of Nest.
  keepNames: true,
  legalComments: 'none',
  logLevel: 'warning',
  external: NOT_INSTALLED,
  // Some of what is bundled is CommonJS and wants `require` for Node's own modules.
  banner: {
    js: [
      BUNDLED.trim(),
      "import { createRequire as skerryCreateRequire } from 'node:module';",
      'const require = skerryCreateRequire(import.meta.url);',
    ].join('\n'),
  },
});
await rename(draft, outfile);
await rm(`${outfile}.map`, { force: true });
