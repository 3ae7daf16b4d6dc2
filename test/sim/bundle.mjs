// Bundles the simulation with the real code of the apps into one file. A few modules that touch the machine or the network
// are replaced by stand-ins; classes with decorators go through swc, since their constructors' types are what they are
// wired by.
import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { transform } from '@swc/core';
import { build } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '../..');
const STAND_INS = join(import.meta.dirname, 'stand-ins');

/** Modules of this repository, by the end of their path, and what stands in for them. */
const REPLACED = {
  'apps/agent/src/process/process-driver.ts': 'process-driver.ts',
  'apps/agent/src/process/process-identity.ts': 'process-identity.ts',
  'apps/agent/src/process/cgroups.ts': 'cgroups.ts',
  'apps/agent/src/health/probes.ts': 'probes.ts',
  'apps/agent/src/otel-tracing.ts': 'otel-tracing.ts',
  'apps/agent/src/logs/log-keeper.ts': 'log-keeper.ts',
  'apps/agent/src/singletons/replica-endpoint.ts': 'replica-endpoint.ts',
  'apps/policy/src/sites/site-accounts.ts': 'site-accounts.ts',
  'libs/bus/src/nats/nats-bus.ts': 'nats-bus.ts',
};

/** Modules of Node, and what stands in for them. */
const REPLACED_OF_NODE = {
  'node:fs/promises': 'fs-promises.ts',
  'node:perf_hooks': 'perf-hooks.ts',
  'node:timers/promises': 'timers-promises.ts',
};

/** Modules that read what only a machine knows, by `node:fs`. */
const READS_THE_KERNEL = ['apps/agent/src/singletons/lease-deadline.ts'];

/** Where names and keys are drawn by chance that have to be the same when a seed is played again. */
const DRAWS_NAMES = ['/apps/agent/src/datasets/', '/apps/agent/src/sealing/'];

const DECORATED = /@(Injectable|Controller|Module)\(/;

/**
 * Writes the bundle to `outfile`. With `mutation` the product is changed on the way: each `find` has to be there exactly once.
 *
 * @param {string} outfile
 * @param {{ edits: import('./mutations.mjs').Edit[] }} [mutation]
 */
export async function bundleSimulation(outfile, mutation) {
  const edits = mutation?.edits ?? [];
  const mutated = new Set();
  await build({
    entryPoints: [join(import.meta.dirname, 'main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['@skerry/source'],
    sourcemap: 'inline',
    logLevel: 'warning',
    plugins: [
      {
        name: 'simulation',
        setup(of) {
          of.onResolve({ filter: /^node:(perf_hooks|(fs|timers)\/promises)$/ }, ({ path, importer }) =>
            importer.includes('/node_modules/')
              ? undefined
              : { path: join(STAND_INS, REPLACED_OF_NODE[path]) },
          );
          of.onResolve({ filter: /^node:fs$/ }, ({ importer }) =>
            READS_THE_KERNEL.some((file) => importer.endsWith(file))
              ? { path: join(STAND_INS, 'fs.ts') }
              : undefined,
          );
          of.onResolve({ filter: /^node:crypto$/ }, ({ importer }) =>
            DRAWS_NAMES.some((folder) => importer.includes(folder))
              ? { path: join(STAND_INS, 'crypto.ts') }
              : undefined,
          );
          of.onResolve({ filter: /^[^./]/ }, ({ path }) =>
            path.startsWith('@skerry/') || path === '.' ? undefined : { path, external: true },
          );
          of.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
            const own = relative(ROOT, path);
            const standIn = REPLACED[own];
            if (standIn) {
              const contents = `export * from ${JSON.stringify(join(STAND_INS, standIn))};`;
              return { contents, loader: 'ts', resolveDir: STAND_INS };
            }
            let text = await readFile(path, 'utf8');
            for (const edit of edits.filter(({ file }) => file === own)) {
              text = mutate(text, edit);
              mutated.add(edit);
            }
            return DECORATED.test(text)
              ? { contents: await decorated(text, path), loader: 'js' }
              : { contents: text, loader: 'ts' };
          });
        },
      },
    ],
  });
  for (const edit of edits) {
    if (!mutated.has(edit)) throw new Error(`${edit.file} is not part of the simulation`);
  }
}

function mutate(text, { file, find, replace }) {
  const parts = text.split(find);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${find}`);
  return parts.join(replace);
}

async function decorated(text, filename) {
  const { code } = await transform(text, {
    filename,
    sourceMaps: 'inline',
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      keepClassNames: true,
    },
    module: { type: 'es6' },
  });
  return code;
}
