// A service as one file, made of what tsc has written into its `dist`: run in the service's folder. Loading a thousand small
// files takes a service three times as long as loading one, and 20 MiB more of memory; a source map would take most of that
// again, so that there is none: names are kept, and each part says which file it is of.
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

const outfile = 'dist/main.js';

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

await build({
  entryPoints: [outfile],
  outfile,
  allowOverwrite: true,
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
      "import { createRequire as skerryCreateRequire } from 'node:module';",
      'const require = skerryCreateRequire(import.meta.url);',
    ].join('\n'),
  },
});
await rm(`${outfile}.map`, { force: true });
